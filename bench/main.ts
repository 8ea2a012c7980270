/** Runs every bench, one after the other, and exits 1 when a budget was missed. `npm run bench [name..]` */
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import path from 'node:path';

const named = process.argv.slice(2);
const benches = readdirSync(import.meta.dirname)
  .filter((file) => file.endsWith('.bench.js'))
  .filter((file) => named.length === 0 || named.some((name) => file.startsWith(name)))
  .sort();
if (benches.length === 0) throw new Error(`no bench is called ${named.join(', ')}`);

for (const bench of benches) {
  process.stdout.write(`--- ${bench.replace('.bench.js', '')}\n`);
  const { status } = spawnSync(process.execPath, [path.join(import.meta.dirname, bench)], {
    stdio: 'inherit',
  });
  if (status !== 0) process.exitCode = 1;
}
