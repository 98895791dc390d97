// Checks a Grafana dashboard against Grafana's own types: unknown fields, misspelt values and missing ones are errors.
//
//   node tests/monitoring/dashboard/check.mjs [DASHBOARD]      (after `npm ci` in its directory)
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const here = path.dirname(fileURLToPath(import.meta.url));
const file = process.argv[2] ?? path.resolve(here, '../../../manifests/chart/files/dashboard.json');
const { panels, ...dashboard } = JSON.parse(fs.readFileSync(file, 'utf8'));
const kind = { row: 'Plain<RowPanel>', stat: "One<'stat', stat.Options, never>", timeseries: "One<'timeseries', timeseries.Options, timeseries.FieldConfig>" };

const lines = [`
import type { Dashboard, FieldConfig, Panel, RowPanel } from '@grafana/grafana-foundation-sdk/dashboard';
import type * as prometheus from '@grafana/grafana-foundation-sdk/prometheus';
import type * as stat from '@grafana/grafana-foundation-sdk/stat';
import type * as timeseries from '@grafana/grafana-foundation-sdk/timeseries';
/** As JSON has it: the value of an enumeration, not its name. */
type Plain<T> = T extends string ? \`\${T}\` : T extends (infer U)[] ? Plain<U>[] : T extends (...all: never) => unknown ? never
  : T extends object ? { [K in keyof T]: Plain<T[K]> } : T;
type One<Type, Options, Custom> = Plain<Omit<Panel, 'type' | 'options' | 'fieldConfig' | 'targets'>> & {
  type: Type; options: Plain<Options>; targets: Plain<Omit<prometheus.Dataquery, '_implementsDataqueryVariant'>>[];
  fieldConfig: { defaults: Plain<Omit<FieldConfig, 'custom'>> & { custom?: Plain<Custom> }; overrides: [] };
};
export const dashboard: Plain<Omit<Dashboard, 'panels'>> = ${JSON.stringify(dashboard)};`];
panels.forEach((panel, at) => {
  lines.push(`/* ${panel.title} */ export const panel${at}: ${kind[panel.type] ?? 'never'} = ${JSON.stringify(panel)};`);
});
// Beside the packages, so that they are found.
const source = path.join(here, 'node_modules', 'dashboard.gen.ts');
fs.writeFileSync(source, lines.join('\n'));
const tsc = path.join(here, 'node_modules', 'typescript', 'bin', 'tsc');
const result = spawnSync(process.execPath, [tsc, '--noEmit', '--strict', '--skipLibCheck', '--module', 'nodenext', source], { encoding: 'utf8' });
process.stdout.write(result.stdout);
const ids = new Set(panels.map((panel) => panel.id));
if (ids.size !== panels.length) console.log('two panels have one id');
const ok = result.status === 0 && ids.size === panels.length;
console.log(ok ? `dashboard: ${panels.length} panels are as Grafana's types say` : 'dashboard: see above');
process.exitCode = ok ? 0 : 1;
