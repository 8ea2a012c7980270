import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { SupervisedProcess } from './supervised-process.js';

const LIVES = `console.log('up', process.pid); setInterval(() => {}, 1_000);`;
const STUBBORN = `process.on('SIGTERM', () => console.log('not yet')); ${LIVES}`;
const POLITE = `process.on('SIGTERM', () => process.exit(0)); ${LIVES}`;
const BROKEN = `console.error('configuration: PORT: wrong'); process.exit(1);`;

describe('SupervisedProcess', () => {
  let folder: string;
  let supervised: SupervisedProcess;
  let deaths: string[];

  beforeEach(async () => {
    folder = await mkdtemp(path.join(os.tmpdir(), 'vendo-supervised-'));
    deaths = [];
  });
  afterEach(async () => {
    await supervised.stop(0);
    await rm(folder, { recursive: true, force: true });
  });

  async function start(source: string): Promise<void> {
    const script = path.join(folder, 'app.mjs');
    await writeFile(script, source);
    supervised = new SupervisedProcess({
      name: 'app',
      script,
      env: { PATH: process.env.PATH ?? '' },
      logFile: path.join(folder, 'app.log'),
      died: (line) => deaths.push(line),
    });
    supervised.start();
  }

  async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
    for (const deadline = Date.now() + 5_000; !(await condition()); ) {
      if (Date.now() > deadline) throw new Error('not within 5 s');
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }

  const log = (): Promise<string> => readFile(path.join(folder, 'app.log'), 'utf8');
  const isUp = async (): Promise<boolean> => (await log()).includes(`up ${supervised.pid}`);

  it('starts an app again that died', async () => {
    await start(LIVES);
    await until(isUp);
    const first = supervised.pid;
    process.kill(first ?? 0, 'SIGKILL');
    await until(async () => supervised.pid !== null && supervised.pid !== first && (await isUp()));
    expect(deaths).toEqual(['app ended (SIGKILL); starting it again in 250 ms']);
  });

  it('waits longer after every death, and knows what it complained of', async () => {
    await start(BROKEN);
    await until(() => deaths.length === 2);
    expect(deaths.map((line) => /in (\d+) ms/.exec(line)?.[1])).toEqual(['250', '500']);
    expect(supervised.complaint()).toBe('configuration: PORT: wrong');
  });

  it('leaves an app down that it was told to kill, until it is told to start it', async () => {
    await start(LIVES);
    await until(isUp);
    await supervised.kill('SIGKILL');
    expect(supervised.pid).toBeNull();
    await new Promise((resolve) => setTimeout(resolve, 400));
    expect(supervised.pid).toBeNull();
    expect(deaths).toEqual([]);
    supervised.start();
    await until(isUp);
  });

  it.each([
    ['ends by itself', POLITE, true],
    ['has to be killed', STUBBORN, false],
    ['ends by the signal, without exit code', LIVES, false],
  ])('tells whether an app %s', async (_, source, clean) => {
    await start(source);
    await until(isUp);
    expect(await supervised.stop(300)).toBe(clean);
    expect(supervised.pid).toBeNull();
    expect(deaths).toEqual([]);
  });

  it('is out of reach of a Ctrl-C in the terminal of its supervisor', async () => {
    await start(LIVES);
    await until(isUp);
    const stat = await readFile(`/proc/${supervised.pid}/stat`, 'utf8');
    const group = stat.slice(stat.lastIndexOf(')') + 2).split(' ')[2];
    expect(group).toBe(String(supervised.pid));
  });
});
