// The dashboard as a page: its own grid, titles, units, colours and thresholds, with uPlot for what goes over time.
const COLUMN = 1600 / 24;
const ROW = 38;
const COLOURS = ['#73bf69', '#f2cc0c', '#5794f2', '#ff9830', '#f2495c', '#b877d9', '#8ab8ff', '#c0d8ff', '#fade2a', '#96d98d'];
const NAMED = { green: '#299c46', orange: '#ed8128', red: '#d44a3a', blue: '#1f60c4' };

export function shown(value, unit, decimals) {
  if (!Number.isFinite(value)) return '–';
  const round = (number, digits) => Number(number.toFixed(digits)).toString();
  switch (unit) {
    case 's':
      if (Math.abs(value) >= 2 * 86400) return `${round(value / 86400, 1)} d`;
      if (Math.abs(value) >= 7200) return `${round(value / 3600, 1)} h`;
      if (Math.abs(value) >= 120) return `${round(value / 60, 1)} min`;
      return Math.abs(value) < 1 && value !== 0 && decimals !== 0 ? `${round(value * 1000, 0)} ms` : `${round(value, decimals ?? 1)} s`;
    case 'percentunit': return `${round(value * 100, 2)}%`;
    case 'reqps': case 'ops': return `${round(value, 2)}/s`;
    case 'd': return `${round(value, 1)} d`;
    default: return round(value, 2);
  }
}

const colour = (panel, value) => {
  const steps = panel.fieldConfig.defaults.thresholds.steps.filter((step) => step.value === null || value >= step.value);
  return NAMED[steps.at(-1).color];
};

const escape = (text) => text.replace(/[&<>"]/g, (letter) => `&#${letter.charCodeAt(0)};`);

/** Series on common moments, stacked if the panel says so. */
function data(panel, series, { from, to, step }) {
  const times = [];
  for (let at = from; at <= to; at += step) times.push(Math.round(at * 1000) / 1000);
  const lines = series.map(({ points }) => {
    const line = new Array(times.length).fill(null);
    for (const [at, value] of points) line[Math.round((at - from) / step)] = Number.isFinite(value) ? value : null;
    return line.slice(0, times.length);
  });
  const isStacked = panel.fieldConfig.defaults.custom?.stacking?.mode === 'normal';
  if (isStacked) {
    for (let at = 0; at < times.length; at += 1) {
      let sum = 0;
      for (const line of lines) {
        sum += line[at] ?? 0;
        line[at] = sum;
      }
    }
  }
  return { times, lines, isStacked };
}

export function page(dashboard, found, { from, to, step, script, style }) {
  const boxes = [];
  const charts = [];
  let bottom = 0;
  for (const panel of dashboard.panels) {
    const { x, y, w, h } = panel.gridPos;
    bottom = Math.max(bottom, y + h);
    const place = `left:${x * COLUMN}px;top:${60 + y * ROW}px;width:${w * COLUMN - 8}px;height:${h * ROW - 8}px`;
    if (panel.type === 'row') {
      boxes.push(`<h2 style="${place}">${escape(panel.title)}</h2>`);
      continue;
    }
    const series = found.get(panel.id);
    const { unit, decimals } = panel.fieldConfig.defaults;
    if (panel.type === 'stat') {
      const value = series[0].points.at(-1)[1];
      boxes.push(`<section style="${place};background:${colour(panel, value)}"><h3>${escape(panel.title)}</h3><p class="stat">${shown(value, unit, decimals)}</p></section>`);
      continue;
    }
    const { times, lines, isStacked } = data(panel, series, { from, to, step });
    const legend = series.map(({ name, points }, at) => {
      const last = points.at(-1)?.[1];
      return `<span><i style="background:${COLOURS[at % COLOURS.length]}"></i>${escape(name)}${Number.isFinite(last) ? ` <b>${shown(last, unit, decimals)}</b>` : ''}</span>`;
    });
    boxes.push(`<section style="${place}"><h3>${escape(panel.title)}</h3><div id="p${panel.id}"></div><footer>${legend.join('')}</footer></section>`);
    charts.push({ id: `p${panel.id}`, width: w * COLUMN - 24, height: h * ROW - 76 - (series.length > 5 ? 16 : 0), unit, decimals, times, lines, isStacked });
  }
  const height = Math.ceil(60 + bottom * ROW + 30);
  const text = `<!doctype html><meta charset="utf-8"><title>${escape(dashboard.title)}</title><style>${style}
    body{margin:0;background:#111217;color:#ccccdc;font:13px "DejaVu Sans",sans-serif;position:relative;width:1600px;height:${height}px}
    h1{font-size:20px;margin:0;padding:16px 12px;font-weight:500} h1 small{color:#8e8e9b;font-size:12px;margin-left:12px}
    h2,section{position:absolute;box-sizing:border-box;margin:4px} h2{font-size:15px;font-weight:500;padding:6px 8px;color:#fff}
    section{background:#181b1f;border:1px solid #2a2d33;border-radius:3px;overflow:hidden;padding:6px 8px}
    h3{font-size:13px;font-weight:500;margin:0 0 2px} .stat{font-size:34px;color:#fff;margin:14px 0;text-align:center}
    footer{font-size:11px;line-height:15px;color:#a7a7b4} footer span{margin-right:12px;white-space:nowrap} footer b{color:#ccccdc;font-weight:500}
    footer i{display:inline-block;width:12px;height:3px;margin-right:5px;vertical-align:middle}</style>
  <h1>${escape(dashboard.title)}<small>${new Date(from * 1000).toISOString().slice(0, 16)} to ${new Date(to * 1000).toISOString().slice(11, 16)} UTC, a run against the simulator; drawn from the dashboard's own queries, not by Grafana</small></h1>
  ${boxes.join('\n')}<script>${script}</script><script>
  const shown = ${shown.toString()}; const colours = ${JSON.stringify(COLOURS)};
  for (const {id, width, height, unit, decimals, times, lines, isStacked} of ${JSON.stringify(charts)}) {
    const order = lines.map((_, at) => at); if (isStacked) order.reverse();
    new uPlot({
      width, height, legend: {show: false}, cursor: {show: false},
      scales: {x: {time: true}, y: {range: (_, low, high) => [Math.min(0, low), high <= 0 ? 1 : high * 1.1]}},
      axes: [{stroke: '#8e8e9b', grid: {stroke: '#24272d', width: 1}, ticks: {show: false}, font: '11px DejaVu Sans', size: 22},
             {stroke: '#8e8e9b', grid: {stroke: '#24272d', width: 1}, ticks: {show: false}, font: '11px DejaVu Sans', size: 58,
              values: (_, splits) => splits.map((value) => shown(value, unit, undefined))}],
      series: [{}, ...order.map((at) => ({stroke: colours[at % colours.length], width: 1.5, points: {show: false}, spanGaps: true,
              fill: isStacked ? colours[at % colours.length] + 'cc' : undefined}))],
    }, [times, ...order.map((at) => lines[at])], document.getElementById(id));
  }</script>`;
  return { text, height };
}
