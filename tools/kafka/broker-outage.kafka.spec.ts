import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type EventLog, migrateLog, openEventLog } from '@vendo/event-log';
import { type EventRecord, GATEWAY_TOPIC } from '@vendo/events';
import { createLogger, createPool, SystemClock } from '@vendo/runtime';
import { createTestDatabase, type TestDatabase } from '@vendo/testing';
import { type LocalKafka, missingForKafka, startKafka } from './kafka.mjs';

const OUTAGE_MS = 12_000;
const surroundings = { clock: new SystemClock(), logger: createLogger('spec', 'silent') };

const missing = await missingForKafka();
if (missing && process.env.CI === 'true')
  throw new Error(`no ${missing}: the outage of a broker is not tested`);
if (missing) process.stderr.write(`KAFKA'S OUTAGE WAS NOT TESTED: there is no ${missing}\n`);

/** The broker is this spec's own, because it is killed: needs Java and Maven, whatever KAFKA_BROKERS says. */
(missing ? describe.skip : describe)('the event log on a broker that is killed', () => {
  let folder: string;
  let broker: LocalKafka;
  let database: TestDatabase;
  const logs: EventLog[] = [];

  beforeAll(async () => {
    folder = await mkdtemp(path.join(os.tmpdir(), 'vendo-kafka-'));
    broker = await startKafka({ folder });
    database = await createTestDatabase();
    const pool = createPool(database.url, { app: 'spec' });
    await migrateLog(pool);
    await pool.end();
  }, 120_000);
  afterAll(async () => {
    await Promise.all(logs.map((log) => log.close()));
    await broker.stop();
    await database.drop();
    await rm(folder, { recursive: true, force: true });
  }, 30_000);

  function open(): EventLog {
    const log = openEventLog(
      { kind: 'kafka', brokers: [broker.brokers], databaseUrl: database.url },
      surroundings,
    );
    logs.push(log);
    return log;
  }

  it('goes on by itself, appending and reading, and loses and reorders nothing', async () => {
    const [writer, reader] = [open(), open()];
    await writer.createTopics(4);
    const ended = new AbortController();
    const seen: number[] = [];
    const reading = readNumbers(reader, seen, ended.signal);
    const writing = writeNumbers(writer, ended.signal);

    await until(() => seen.length > 50);
    await broker.kill();
    await pause(OUTAGE_MS);
    const duringOutage = seen.length;
    await broker.restart();
    await until(() => seen.length > duringOutage + 50);
    ended.abort();
    const written = await writing;
    await reading;

    // It tries again at its own pace, not as fast as it can.
    expect(written.failed).toBeLessThan((3 * OUTAGE_MS) / 1_000);
    // A repeat follows at once what it repeats, because the writer appends again before it goes on.
    const withoutRepeats = seen.filter((number, index) => number !== seen[index - 1]);
    expect(withoutRepeats).toEqual(withoutRepeats.map((_, index) => index));
  }, 180_000);
});

/** Appends 0, 1, 2, ... one by one; what fails is appended again. */
async function writeNumbers(log: EventLog, signal: AbortSignal): Promise<{ failed: number }> {
  let failed = 0;
  for (let number = 0; !signal.aborted; number += 1) {
    const record: EventRecord = {
      key: 't',
      headers: { ce_type: 'Test.v1' },
      value: Buffer.from(String(number)),
    };
    while (!(await appended(log, record))) failed += 1;
    await pause(5);
  }
  return { failed };
}

function appended(log: EventLog, record: EventRecord): Promise<boolean> {
  return log.append(GATEWAY_TOPIC, 1, [record]).then(
    () => true,
    () => false,
  );
}

async function readNumbers(log: EventLog, seen: number[], signal: AbortSignal): Promise<void> {
  for await (const { records } of log.consume(GATEWAY_TOPIC, 1, { next: 0n, logId: null }, signal)) {
    seen.push(...records.map(({ value }) => Number(value.toString())));
  }
}

async function until(holds: () => boolean): Promise<void> {
  for (const deadline = Date.now() + 60_000; !holds(); await pause(50)) {
    if (Date.now() > deadline) throw new Error('did not happen within 60 s');
  }
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
