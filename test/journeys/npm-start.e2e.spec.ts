import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { freePort } from '@vendo/testing';
import { waitUntil } from '../harness/wait-until.js';

const MAIN = path.resolve('dist/tools/standalone/main.js');
const ENDS_WITHIN_MS = 10_000;
const run = promisify(execFile);

interface Instance {
  process: ChildProcess;
  /** What it has printed so far. */
  output(): string;
  exit: Promise<{ code: number | null; signal: NodeJS.Signals | null }>;
}

describe('npm start', () => {
  let folder: string;
  let ports: { GATEWAY_PORT: string; LEDGER_PORT: string };
  const running: Instance[] = [];

  beforeAll(async () => {
    folder = await mkdtemp('/var/tmp/vendo-npm-start-');
    await chmod(folder, 0o711);
    ports = { GATEWAY_PORT: String(await freePort()), LEDGER_PORT: String(await freePort()) };
  });
  afterEach(() => Promise.all(running.splice(0).map(killed)));
  afterAll(() => rm(folder, { recursive: true, force: true }));

  function start(env: Record<string, string> = {}): Instance {
    const { PATH = '', HOME = '' } = process.env;
    const child = spawn(process.execPath, [MAIN], {
      env: { PATH, HOME, VENDO_DATA_DIR: folder, ...ports, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let printed = '';
    for (const stream of [child.stdout, child.stderr])
      stream?.on('data', (chunk: Buffer) => {
        printed += chunk.toString();
      });
    const exit = new Promise<{ code: number | null; signal: NodeJS.Signals | null }>((resolve) =>
      child.once('exit', (code, signal) => resolve({ code, signal })),
    );
    const instance = { process: child, output: () => printed, exit };
    running.push(instance);
    return instance;
  }

  async function ready(instance: Instance): Promise<void> {
    const died = instance.exit.then(() => {
      throw new Error(instance.output());
    });
    const up = waitUntil(
      () => instance.output().includes('Ctrl-C ends everything'),
      'npm start is up',
      60_000,
    );
    await Promise.race([up, died]);
  }

  /** Every process whose environment or command line names the data folder. */
  function processes(): number[] {
    return readdirSync('/proc')
      .map(Number)
      .filter((pid) => pid > 0 && pid !== process.pid)
      .filter((pid) => {
        try {
          const text =
            readFileSync(`/proc/${pid}/environ`, 'utf8') + readFileSync(`/proc/${pid}/cmdline`, 'utf8');
          return text.includes(folder);
        } catch {
          return false;
        }
      });
  }

  /** The process ids of the printed table. */
  function pidsOf(instance: Instance): number[] {
    return [...instance.output().matchAll(/ pid (\d+)/g)].map(([, pid]) => Number(pid));
  }

  async function killed(instance: Instance): Promise<void> {
    if (instance.process.exitCode !== null || instance.process.signalCode !== null) return;
    instance.process.kill('SIGTERM');
    await instance.exit;
  }

  /** Runs the printed line that contains `text` in a shell, as somebody who pastes it. */
  async function paste(instance: Instance, text: string): Promise<Record<string, unknown>> {
    const line = instance
      .output()
      .split('\n')
      .find((one) => one.startsWith('curl') && one.includes(text));
    const { stdout } = await run('bash', ['-c', line ?? `no line with ${text}`]);
    return JSON.parse(stdout) as Record<string, unknown>;
  }

  it('prints lines that work when they are pasted, and Ctrl-C leaves nothing behind', async () => {
    const instance = start();
    await ready(instance);
    expect(await paste(instance, '/proxy/openai/')).toMatchObject({ object: 'chat.completion' });
    const spent = await waitUntil(
      async () => {
        const { total_micros } = await paste(instance, '/usage');
        return typeof total_micros === 'number' && total_micros > 0 && total_micros;
      },
      'the charge',
      2_000,
    );
    await waitUntil(
      async () => (await paste(instance, '/balance')).credits_remaining_micros === 25_000_000 - spent,
      'the balance',
      2_000,
    );

    const pids = pidsOf(instance);
    expect(pids).toHaveLength(5);
    const began = Date.now();
    instance.process.kill('SIGINT');
    expect(await instance.exit).toEqual({ code: 0, signal: null });
    expect(Date.now() - began).toBeLessThan(ENDS_WITHIN_MS);
    expect(pids.filter((pid) => existsSync(`/proc/${pid}`))).toEqual([]);
    expect(processes()).toEqual([]);
  });

  it('recovers after a kill -9, with its credit, its charges and the same demo key', async () => {
    const first = start();
    await ready(first);
    const keyOf = (instance: Instance) => /vendo_sk_[\w-]+/.exec(instance.output())?.[0];
    await paste(first, '/proxy/openai/');
    const pids = pidsOf(first);
    first.process.kill('SIGKILL');
    await first.exit;
    await waitUntil(
      () => pids.slice(0, 4).every((pid) => !existsSync(`/proc/${pid}`)),
      'the apps end with their supervisor',
      5_000,
    );

    const second = start();
    await ready(second);
    expect(keyOf(second)).toBe(keyOf(first));
    await waitUntil(async () => (await paste(second, '/usage')).calls === 2, 'both calls', 5_000);
    expect(await paste(second, '/proxy/openai/')).toMatchObject({ object: 'chat.completion' });
  });

  it('says in one line that a port or the data folder is in use, and exits 1', async () => {
    const first = start();
    await ready(first);
    const samePort = start({ VENDO_DATA_DIR: `${folder}-other` });
    expect((await samePort.exit).code).toBe(1);
    expect(samePort.output().trim()).toBe(
      `port ${ports.GATEWAY_PORT} is in use; set GATEWAY_PORT to a free port`,
    );
    await rm(`${folder}-other`, { recursive: true, force: true });

    const sameFolder = start({ GATEWAY_PORT: '0', LEDGER_PORT: '0' });
    expect((await sameFolder.exit).code).toBe(1);
    expect(sameFolder.output().trim().split('\n')).toEqual([
      expect.stringContaining(`is in use by process ${first.process.pid}`),
    ]);
  });

  it('runs a second instance beside the first on other ports and another folder', async () => {
    const first = start();
    await ready(first);
    const second = start({
      GATEWAY_PORT: String(await freePort()),
      LEDGER_PORT: String(await freePort()),
      VENDO_DATA_DIR: `${folder}-second`,
    });
    try {
      await ready(second);
      expect(await paste(second, '/usage')).toMatchObject({ calls: 0 });
    } finally {
      await killed(second);
      await rm(`${folder}-second`, { recursive: true, force: true });
    }
  });

  it('names a wrong setting in one line and exits 1', async () => {
    const instance = start({ GATEWAY_PORT: 'eighty' });
    expect((await instance.exit).code).toBe(1);
    expect(instance.output().trim()).toBe('configuration: GATEWAY_PORT must be a port number, 0 to 65535');
  });
});
