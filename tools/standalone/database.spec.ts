import { existsSync } from 'node:fs';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { type Database, embeddedDatabase } from './database.js';

const STOP_WITHIN_MS = 20_000;
/** What a start says that finds the folder of a killed Postgres. */
const RECOVERING = 'recovering the database of a run that was killed';

describe('the embedded database of a product', () => {
  let folder: string;
  let database: Database;
  const reported: string[] = [];
  const died: string[] = [];

  beforeAll(async () => {
    folder = await mkdtemp('/var/tmp/vendo-database-');
    await chmod(folder, 0o711); // as root, Postgres runs as another user, who must get through
    database = await embeddedDatabase(
      folder,
      (line) => reported.push(line),
      (line) => died.push(line),
    );
  }, 60_000);
  // Each begins with one that was killed.
  beforeEach(async () => {
    await database.start();
    await database.kill('SIGKILL');
    reported.length = 0;
  });
  afterAll(async () => {
    await database?.stop(STOP_WITHIN_MS);
    await rm(folder, { recursive: true, force: true });
  });

  /** No postmaster is left in the folder, killed or running. */
  function isEmpty(): boolean {
    return !existsSync(path.join(database.folder ?? '', 'postmaster.pid'));
  }

  it('is started once by two who start it at once', async () => {
    await Promise.all([database.start(), database.start()]);
    expect(reported).toEqual([RECOVERING]);
    const client = new pg.Client(database.url);
    await client.connect();
    const { rows } = await client.query(
      `select split_part(pg_read_file('postmaster.pid'), e'\\n', 1) as pid`,
    );
    await client.end();
    expect(rows).toEqual([{ pid: String(database.pid()) }]);
    expect(died).toEqual([]);
  });

  it('that is stopped while it starts has ended when the stop is over', async () => {
    let isStarted = false;
    const starting = database.start().finally(() => {
      isStarted = true;
    });
    expect(await database.stop(STOP_WITHIN_MS)).toBe(true);
    expect(isStarted).toBe(true);
    expect(database.pid()).toBeNull();
    expect(isEmpty()).toBe(true);
    await starting;
  });

  it('that is killed while it starts is not left behind', async () => {
    const starting = database.start();
    await database.kill('SIGKILL');
    await starting;
    expect(database.pid()).toBeNull();
    expect(isEmpty()).toBe(true);
  });
});
