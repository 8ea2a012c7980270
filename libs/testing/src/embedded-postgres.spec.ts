import { chmod, mkdir, mkdtemp, rm } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { startEmbeddedPostgres } from './embedded-postgres.js';

const isRoot = process.getuid?.() === 0;
if (!isRoot) process.stderr.write('FOLDERS OF ROOT WERE NOT TESTED: this is not root\n');

describe('the embedded Postgres', () => {
  it('starts after its postmaster was killed and a backend outlived it', async () => {
    const folder = await mkdtemp('/var/tmp/vendo-outlived-');
    await chmod(folder, 0o711); // as root, Postgres runs as another user, who must get through
    const first = await startEmbeddedPostgres({ folder: path.join(folder, 'postgres') });
    const client = new pg.Client(first.url);
    client.on('error', () => undefined);
    await client.connect();
    const { rows } = await client.query<{ pid: number }>('select pg_backend_pid() as pid');
    const backend = rows[0]?.pid ?? 0;
    process.kill(backend, 'SIGSTOP');
    let started = false;
    try {
      process.kill(first.pid, 'SIGKILL');
      await first.exited;
      const { port } = first;
      const second = startEmbeddedPostgres({ folder: path.join(folder, 'postgres'), port });
      void second.then(
        () => {
          started = true;
        },
        () => undefined,
      );
      await new Promise((resolve) => setTimeout(resolve, 1_500));
      expect(started).toBe(false);
      process.kill(backend, 'SIGCONT');
      await (await second).stop();
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  }, 60_000);

  it('does not start on the port of another Postgres, though that one answers', async () => {
    const folder = await mkdtemp('/var/tmp/vendo-taken-');
    await chmod(folder, 0o711);
    const port = Number(new URL(process.env.TEST_POSTGRES_URL ?? '').port);
    try {
      const second = startEmbeddedPostgres({ folder: path.join(folder, 'postgres'), port });
      await expect(second).rejects.toThrow(/^postgres exited: .*Address already in use/s);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  }, 60_000);

  (isRoot ? it : it.skip)(
    'never takes the cluster of another folder that nobody may enter, however alike their names',
    async () => {
      const closed = await mkdtemp('/var/tmp/vendo-closed-'); // 0700: the server's user cannot get through
      const moved: string[] = [];
      try {
        for (const clone of ['one', 'two']) {
          await mkdir(path.join(closed, clone, 'var'), { recursive: true });
          const server = await startEmbeddedPostgres({ folder: path.join(closed, clone, 'var', 'postgres') });
          moved.push(server.folder);
          await server.stop();
        }
        expect(new Set(moved).size).toBe(2);
        for (const folder of moved) expect(folder.startsWith(closed)).toBe(false);
      } finally {
        for (const folder of [closed, ...moved]) await rm(folder, { recursive: true, force: true });
      }
    },
    // Two clusters are made: seconds on a quiet machine.
    60_000,
  );
});
