/**
 * Folds a projection again from offset 0 beside the live one, while the product runs: `npm run rebuild -- usage`.
 * Ends with 0 when the rebuilt one is live, with 1 when it differs and was not swapped; the report says where. Then
 * `npm run rebuild -- usage accept` takes it all the same, `drop` gives it up. `drop-old` drops what the last swap left.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import {
  acceptRebuild,
  dropGeneration,
  dropRebuild,
  generationsOf,
  RebuildError,
  startRebuild,
} from '@vendo/read-models';
import { ConfigError, configFields, createPool, parseConfig } from '@vendo/runtime';
import type pg from 'pg';
import { z } from 'zod';
import { PROJECTIONS } from './projections/projections.js';

const LOOK_EVERY_MS = 500;

async function main([name, command = 'start', ...rest]: string[]): Promise<number> {
  const projection = PROJECTIONS.find((one) => one.name === name);
  if (!projection || rest.length > 0) throw new RebuildError(USAGE);
  const { DATABASE_URL } = parseConfig(z.object({ DATABASE_URL: configFields.databaseUrl }), process.env);
  const pool = createPool(DATABASE_URL, { app: 'vendo-rebuild', max: 1, settings: { lock_timeout: '5s' } });
  try {
    switch (command) {
      case 'start':
        return await ended(
          pool,
          projection.name,
          await startRebuild(pool, projection.name, projection.tables),
        );
      case 'accept':
        return await ended(pool, projection.name, await acceptRebuild(pool, projection.name));
      case 'drop':
        await dropRebuild(pool, projection.name);
        return 0;
      case 'drop-old':
        await dropGeneration(pool, projection.name, 'old');
        return 0;
      default:
        throw new RebuildError(USAGE);
    }
  } finally {
    await pool.end();
  }
}

const USAGE = `usage: rebuild <${PROJECTIONS.map(({ name }) => name).join(' | ')}> [accept | drop | drop-old]`;

/** Waits until the rebuild is live, blocked or given up; ending this program does not end the rebuild. */
async function ended(pool: pg.Pool, projection: string, generation: number): Promise<number> {
  process.stdout.write(`generation ${generation} of ${projection} is being built\n`);
  for (;;) {
    const found = (await generationsOf(pool, projection)).find((one) => one.generation === generation);
    if (found?.state === 'live' || found === undefined) {
      process.stdout.write(`generation ${generation} of ${projection} is ${found ? 'live' : 'gone'}\n`);
      return found ? 0 : 1;
    }
    if (found.state === 'blocked') {
      process.stdout.write(`${JSON.stringify(found.report, null, 2)}\n`);
      return 1;
    }
    await sleep(LOOK_EVERY_MS);
  }
}

main(process.argv.slice(2)).then(
  (code) => {
    process.exitCode = code;
  },
  (thrown: unknown) => {
    const isPlain = thrown instanceof RebuildError || thrown instanceof ConfigError;
    process.stderr.write(
      `${isPlain ? thrown.message : thrown instanceof Error ? thrown.stack : String(thrown)}\n`,
    );
    process.exitCode = 1;
  },
);
