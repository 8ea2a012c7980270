import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { startEmbeddedPostgres } from './embedded-postgres.js';

const isRoot = process.getuid?.() === 0;

describe('the embedded Postgres', () => {
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
