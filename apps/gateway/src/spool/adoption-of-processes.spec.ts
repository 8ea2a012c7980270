import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { pathToFileURL } from 'node:url';
import { afterEach, beforeEach, expect, it } from '@jest/globals';
import type { LedgerClient } from '@vendo/ledger-api';
import { createLogger, Metrics } from '@vendo/runtime';
import { v7 as uuidv7 } from 'uuid';
import { openProcessTable } from './file.process-table.js';
import { FileSpool } from './file.spool.js';
import { FileSpoolDisk } from './file.spool-disk.js';
import { FakeLedger, FakeLog, HastyClock } from './memory.spool-world.js';
import { OwnSpool } from './own-spool.js';
import { SpoolMetrics } from './spool-metrics.js';
import { SpoolShipping } from './spool-shipping.js';

/** Writes a frame every few ms and says its name once `append` has returned. */
const WRITER = `
const [root, dataDir, id, tenantId] = process.argv.slice(1);
const { FileSpool } = await import(root + 'file.spool.js');
const { FileSpoolDisk } = await import(root + 'file.spool-disk.js');
const { openProcessTable } = await import(root + 'file.process-table.js');
const none = new Proxy(() => none, { get: () => none });
const clock = { wallMs: Date.now, monotonicMs: () => performance.now(), sleep: () => new Promise(() => {}) };
const parts = { disk: new FileSpoolDisk(), processes: openProcessTable(), clock, logger: none, metrics: none };
const spool = new FileSpool({ id, dataDir, host: 'spec-host', maxBytes: 1e9, segmentBytes: 2_000 }, parts);
let n = 0;
setInterval(() => {
  const name = 'e' + n++;
  const data = { hold_id: name, tenant_id: tenantId, subject: tenantId, cost_micros: 1, outcome: 'completed' };
  const at = '2026-11-21T08:00:00.000Z';
  if (spool.append([{ id: name, type: 'HoldSettled.v1', tenantId, at, data }])) process.stdout.write(name + '\\n');
}, 3);
`;
const ROOT = pathToFileURL(path.resolve('dist/apps/gateway/src/spool/')).href;

let dataDir: string;
let child: ChildProcess;
let shipping: SpoolShipping;
const said: string[] = [];
const clock = new HastyClock();
const log = new FakeLog();
const ledger = new FakeLedger(log, () => clock.monotonicMs());

beforeEach(async () => {
  dataDir = mkdtempSync(path.join(tmpdir(), 'vendo-processes-'));
  const args = [`${ROOT}/`, dataDir, uuidv7(), '00000000-0000-4000-8000-000000000001'];
  child = spawn(process.execPath, ['--input-type=module', '-e', WRITER, ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  createInterface({ input: child.stdout as NodeJS.ReadableStream }).on('line', (name) => said.push(name));
  const parts = {
    disk: new FileSpoolDisk(),
    processes: openProcessTable(),
    clock,
    logger: createLogger('spec', 'silent'),
    metrics: new SpoolMetrics(new Metrics('spec')),
  };
  const own = { id: uuidv7(), dataDir, host: 'spec-host', maxBytes: 1_000_000_000 };
  const spool = new OwnSpool(() => new FileSpool(own, parts));
  const options = { dataDir, host: 'spec-host', flushWithinMs: 0 };
  shipping = new SpoolShipping(spool, log, ledger as unknown as LedgerClient, options, parts);
});
afterEach(async () => {
  child.kill('SIGKILL');
  await shipping.stop();
  rmSync(dataDir, { recursive: true, force: true });
});

async function until(holds: () => boolean, what: string): Promise<void> {
  const endMs = Date.now() + 15_000;
  while (!holds()) {
    if (Date.now() > endMs) throw new Error(`timed out: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

/** The data folder is looked through several times. */
async function looks(): Promise<void> {
  for (let look = 0; look < 5; look += 1) {
    clock.monotonicAheadMs += 20_000;
    const beats = ledger.beats.length;
    await until(() => ledger.beats.length > beats + 3, 'beats');
  }
}

it('a process that writes a spool is left alone while it runs and while it is stopped, and adopted once it is killed', async () => {
  await until(() => said.length > 5, 'writing');
  await shipping.start((thrown) => {
    throw thrown;
  });
  await looks();
  child.kill('SIGSTOP');
  await looks();
  child.kill('SIGCONT');
  const before = said.length;
  await until(() => said.length > before + 5, 'writing on');
  expect(ledger.adoptions).toEqual([]);
  expect(log.records).toEqual([]);
  const ended = new Promise((resolve) => child.once('close', resolve));
  child.kill('SIGKILL');
  await ended;
  await looks();
  await until(() => said.every((name) => ledger.charged.has(name)), 'charged');
  expect(ledger.adoptions).toMatchObject([{ expected_owner: null, proof: 'process_gone' }]);
  expect([...ledger.charged].slice(0, said.length)).toEqual(said);
  expect(readdirSync(path.join(dataDir, 'spool'))).toHaveLength(2);
}, 60_000);
