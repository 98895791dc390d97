// Draws docs/pictures/dashboard.png: the panels and queries of manifests/chart/files/dashboard.json, as a real Prometheus
// answers them about a real run of the operator, the control plane and the simulator. It is not Grafana that draws.
//
// It fails when a query of the dashboard is refused or finds nothing, or when a rule cannot be evaluated.
//
//   node docs/pictures/dashboard/draw.mjs [MINUTES]      (after `npm ci` in its directory)
//
// Needs what `make demo` needs, and chromium.
import { spawn, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { page } from './page.mjs';

const here = path.dirname(fileURLToPath(import.meta.url));
const root = path.resolve(here, '../../..');
const minutes = Number(process.argv[2] ?? 8);
const scratch = fs.mkdtempSync(path.join(os.tmpdir(), 'csp-dashboard-'));
const started = [];

const sleep = (seconds) => new Promise((done) => setTimeout(done, seconds * 1000));

function run(program, args, options = {}) {
  const result = spawnSync(program, args, { cwd: root, encoding: 'utf8', ...options });
  if (result.status !== 0) throw new Error(`${program} ${args.join(' ')}: ${result.error ?? result.stderr ?? result.status}`);
  return result.stdout;
}

function start(program, args, log) {
  const out = fs.openSync(log, 'a');
  // Without a standard input the demo ends with us.
  const child = spawn(program, args, { cwd: root, stdio: ['ignore', out, out] });
  started.push(child);
  return child;
}

async function until(what, look, seconds = 300) {
  const end = Date.now() + seconds * 1000;
  for (;;) {
    const found = await look().catch(() => undefined);
    if (found) return found;
    if (Date.now() > end) throw new Error(`not in ${seconds} s: ${what}`);
    await sleep(1);
  }
}

function freePort() {
  return new Promise((done) => {
    const server = net.createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => done(port));
    });
  });
}

/** The demo, once it has told its story: where its things are. */
async function startDemo() {
  run('cargo', ['build', '--quiet', '--locked', '--bins', '--example', 'demo'], { stdio: ['ignore', 'inherit', 'inherit'] });
  const log = path.join(scratch, 'demo.log');
  start(path.join(root, 'target/debug/examples/demo'), [], log);
  const text = await until('the demo has told its story', async () => {
    const text = fs.readFileSync(log, 'utf8');
    if (text.includes('demo: failed')) throw new Error(text);
    return text.includes('Ctrl-C takes everything down') && text;
  });
  const word = (pattern) => text.match(pattern)[1];
  const operatorLog = word(/tail -f (\S+)/);
  const serving = fs.readFileSync(operatorLog, 'utf8').match(/serving \/livez.*?address=(\S+)|127\.0\.0\.1:(\d+)/);
  return {
    kubeconfig: word(/KUBECONFIG=(\S+)/),
    simulator: word(/SIM=(\S+)/),
    kubectl: word(/alias kubectl=(\S+)/),
    metrics: serving[1] ?? `127.0.0.1:${serving[2]}`,
  };
}

async function startPrometheus(target) {
  const program = path.join(root, 'target/tools/prometheus');
  if (!fs.existsSync(program)) {
    const env = { ...process.env, CGO_ENABLED: '0', GOFLAGS: '-mod=readonly' };
    run('go', ['build', '-trimpath', '-ldflags', '-s -w', '-o', program, 'tool'], { cwd: path.join(here, 'prometheus'), env });
  }
  const port = await freePort();
  const config = path.join(scratch, 'prometheus.yaml');
  fs.writeFileSync(config, JSON.stringify({
    global: { scrape_interval: '5s', evaluation_interval: '10s' },
    rule_files: [path.join(root, 'manifests/chart/files/rules.yaml')],
    scrape_configs: [{
      job_name: 'csp-operator',
      static_configs: [{ targets: [target], labels: { namespace: 'csp-operator' } }],
    }],
  }));
  start(program, [
    `--config.file=${config}`, `--storage.tsdb.path=${path.join(scratch, 'tsdb')}`,
    `--web.listen-address=127.0.0.1:${port}`, '--log.level=warn',
  ], path.join(scratch, 'prometheus.log'));
  const url = `http://127.0.0.1:${port}`;
  await until('Prometheus is ready', async () => (await fetch(`${url}/-/ready`)).ok, 60);
  return url;
}

/** Customers buy, somebody turns switches in the portal, manifests change, and Partner Center refuses some requests. */
async function live(demo, seconds) {
  const call = async (what, body, method = 'POST') => {
    const answer = await fetch(`${demo.simulator}/simulator/${what}`, {
      method, body: JSON.stringify(body),
      // The simulator may close a connection just as it is to be used again.
      headers: { 'content-type': 'application/json', connection: 'close' },
    });
    if (!answer.ok) throw new Error(`${what}: ${answer.status} ${await answer.text()}`);
  };
  const kubectl = (...args) => run(demo.kubectl, args, { env: { ...process.env, KUBECONFIG: demo.kubeconfig } });
  await call('settings', { latencyMs: 60 }, 'PATCH');
  kubectl('apply', '--server-side', '-f', 'examples/situations');
  const all = JSON.parse(kubectl('get', 'cpp', '-A', '-o', 'json')).items;
  const mine = all.filter((one) => one.spec.azureReservations === 'Allow' && (one.spec.mode ?? 'Enforce') === 'Enforce');
  const tenant = (one) => {
    const customers = JSON.parse(kubectl('get', 'customers', '-n', one.metadata.namespace, '-o', 'json')).items;
    return customers.find((customer) => customer.metadata.name === one.spec.customerRef.name).spec.tenantId;
  };
  const tenants = mine.map(tenant);
  const end = Date.now() + seconds * 1000;
  let isThrottled = false;
  for (let turn = 0; Date.now() < end; turn += 1) {
    const at = turn % mine.length;
    const { name, namespace } = mine[at].metadata;
    if (turn % 3 === 0) {
      const user = 'ada@contosopartner.onmicrosoft.com';
      await call('portal/permission', { customer: tenants[at], resource: 'AzureReservedInstances', allow: false, user });
    } else if (turn % 3 === 1) {
      kubectl('patch', 'cpp', name, '-n', namespace, '--type=merge', '-p', '{"spec":{"azureReservations":"Deny"}}');
      await sleep(8);
      kubectl('patch', 'cpp', name, '-n', namespace, '--type=merge', '-p', '{"spec":{"azureReservations":"Allow"}}');
    } else {
      const kind = turn % 2 ? 'reservation' : 'savingsPlan';
      // A customer without a user who could buy has the partner buy for it.
      const buy = (buyer) => call(`customers/${tenants[at]}/purchases`, { kind, buyer });
      await buy('customer').catch(() => buy('partner'));
      kubectl('annotate', 'customers', '--all', '-n', namespace, '--overwrite', `csp-operator.dev/reconcile=${Date.now()}`);
    }
    // Once, since whoever is throttled pauses for a minute.
    if (!isThrottled && Date.now() > end - seconds * 400) {
      isThrottled = true;
      await call('faults', { operation: 'list_audit_records', times: 1, answer: { kind: 'status', status: 429 } });
    }
    await sleep(8);
  }
}

/** A query as Grafana would send it. */
const asked = (expression) => expression.replaceAll('$namespace', '.*').replaceAll('$__rate_interval', '1m');

async function ask(prometheus, what, parameters) {
  const answer = await fetch(`${prometheus}/api/v1/${what}?${new URLSearchParams(parameters)}`);
  const { status, data, error } = await answer.json();
  if (status !== 'success') throw new Error(`${parameters.query}: ${error}`);
  return data;
}

async function answers(prometheus, dashboard, from, to) {
  const found = new Map();
  const step = Math.max(5, Math.round((to - from) / 240));
  for (const panel of dashboard.panels.filter((one) => one.type !== 'row')) {
    const series = [];
    for (const { expr, legendFormat } of panel.targets) {
      const query = asked(expr);
      const { result } = panel.type === 'timeseries'
        ? await ask(prometheus, 'query_range', { query, start: from, end: to, step })
        : await ask(prometheus, 'query', { query, time: to });
      if (!result.length) throw new Error(`panel "${panel.title}" has nothing to show: ${query}`);
      for (const { metric, values, value } of result) {
        const name = legendFormat.replace(/{{\s*(\w+)\s*}}/g, (_, label) => metric[label] ?? '');
        series.push({ name, points: (values ?? [value]).map(([at, number]) => [at, Number(number)]) });
      }
    }
    found.set(panel.id, series);
  }
  return { found, step };
}

async function checkRules(prometheus) {
  const { groups } = await ask(prometheus, 'rules', {});
  const bad = groups.flatMap((group) => group.rules).filter((rule) => rule.health !== 'ok');
  if (bad.length) throw new Error(`rules: ${bad.map((rule) => `${rule.name}: ${rule.health} ${rule.lastError ?? ''}`).join('; ')}`);
  return groups.flatMap((group) => group.rules).length;
}

async function main() {
  const uplot = (file) => fs.readFileSync(path.join(here, 'node_modules/uplot/dist', file), 'utf8');
  const means = { script: uplot('uPlot.iife.min.js'), style: uplot('uPlot.min.css') };
  const dashboard = JSON.parse(fs.readFileSync(path.join(root, 'manifests/chart/files/dashboard.json'), 'utf8'));
  const demo = await startDemo();
  const prometheus = await startPrometheus(demo.metrics);
  const from = Date.now() / 1000;
  console.log(`running for ${minutes} minutes; Prometheus: ${prometheus}`);
  await live(demo, minutes * 60);
  const to = Date.now() / 1000;
  const rules = await checkRules(prometheus);
  const { found, step } = await answers(prometheus, dashboard, from, to);
  const html = path.join(scratch, 'dashboard.html');
  const { text, height } = page(dashboard, found, { from, to, step, ...means });
  fs.writeFileSync(html, text);
  const out = path.join(root, 'docs/pictures/dashboard.png');
  run('chromium', [
    '--headless=new', '--no-sandbox', '--disable-gpu', '--hide-scrollbars', `--window-size=1600,${height}`,
    '--virtual-time-budget=5000', `--user-data-dir=${path.join(scratch, 'chromium')}`, `--screenshot=${out}`, pathToFileURL(html).href,
  ]);
  if (process.env.KEEP_HTML) fs.copyFileSync(html, process.env.KEEP_HTML);
  console.log(`${found.size} panels and ${rules} rules without error; ${path.relative(root, out)}`);
}

main().catch((error) => {
  console.error(`dashboard: ${error.message}`);
  process.exitCode = 1;
}).finally(async () => {
  for (const child of started) child.kill('SIGINT');
  await sleep(5);
  fs.rmSync(scratch, { recursive: true, force: true });
});
