import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { waitUntil } from '../../test/harness/wait-until.js';
import { StartError, secretsOf, takeDataFolder } from './data-folder.js';

describe('the data folder', () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(path.join(os.tmpdir(), 'vendo-folder-'));
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  /** A lock as another process would have written it. */
  function lockedBy(pid: number, started: string | null): Promise<void> {
    return writeFile(path.join(folder, 'supervisor.json'), JSON.stringify({ pid, started }));
  }

  it('is given to one instance at a time, whose pid it names', async () => {
    const other = spawn(process.execPath, ['-e', `setTimeout(() => {}, 60_000)`]);
    try {
      const stat = readFileSync(`/proc/${other.pid}/stat`, 'utf8');
      await lockedBy(other.pid ?? 0, stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? null);
      await expect(takeDataFolder(folder)).rejects.toThrow(StartError);
      await expect(takeDataFolder(folder)).rejects.toThrow(`process ${other.pid}`);
    } finally {
      other.kill('SIGKILL');
    }
  });

  it('is taken over from a killed process that its parent has not reaped', async () => {
    // It ends after the shell has become a process that reaps nothing: a shell would take it away.
    const parent = spawn('sh', ['-c', 'sleep 0.5 & echo $!; exec sleep 60']);
    try {
      const pid = Number(await new Promise((resolve) => parent.stdout.once('data', resolve)));
      const fields = (): string[] => {
        const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
        return stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      };
      await waitUntil(() => fields()[0] === 'Z', 'it is dead');
      await lockedBy(pid, fields()[19] ?? null);
      await expect(takeDataFolder(folder)).resolves.toEqual(expect.any(Function));
    } finally {
      parent.kill('SIGKILL');
    }
  });

  it.each([
    ['a process that is gone', () => lockedBy(2 ** 22 - 1, '1')],
    ['a process that has its pid from an earlier one', () => lockedBy(1, 'not its start')],
    ['a crash while the lock was written', () => writeFile(path.join(folder, 'supervisor.json'), '{"pid":')],
  ])('is taken over from %s', async (_, leave) => {
    await leave();
    await expect(takeDataFolder(folder)).resolves.toEqual(expect.any(Function));
  });

  it('is taken by one of two that start at once', async () => {
    const taking = takeDataFolder(folder);
    const refused = expect(taking).rejects.toThrow(StartError);
    await waitUntil(() => readFileSync(path.join(folder, 'supervisor.json'), 'utf8') !== '', 'it is written');
    await lockedBy(1, 'the other one');
    await refused;
  });

  it('is free again when it was given back', async () => {
    const release = await takeDataFolder(folder);
    await release();
    await expect(takeDataFolder(folder)).resolves.toEqual(expect.any(Function));
  });

  it('keeps generated secrets for its owner alone, and the same ones from then on', async () => {
    const first = await secretsOf(folder, {});
    expect(await secretsOf(folder, {})).toEqual(first);
    expect(Buffer.from(first.encryptionKey, 'base64')).toHaveLength(32);
    expect(first.adminToken).not.toBe(first.internalToken);
    expect((await stat(path.join(folder, 'secrets.json'))).mode & 0o777).toBe(0o600);
  });

  it('prefers the secrets of the environment', async () =>
    expect(await secretsOf(folder, { VENDO_ADMIN_TOKEN: 'given-by-hand-0123' })).toMatchObject({
      adminToken: 'given-by-hand-0123',
    }));
});
