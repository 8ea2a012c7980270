import { afterEach, describe, expect, it } from '@jest/globals';
import { type EventLog, LogMismatchError, openEventLog } from '@vendo/event-log';
import { LEDGER_TOPIC, POSITION_HEADER, SHARD_COUNT } from '@vendo/events';
import { createLogger, Health, SystemClock } from '@vendo/runtime';
import type { JournalRows, PositionedRecord } from './journal-rows.js';
import { Relay } from './relay.js';

const logger = createLogger('spec', 'silent');
const clock = new SystemClock();
const health = new Health();
const ALL = Array.from({ length: SHARD_COUNT }, (_, shard) => shard);
let relay: Relay | undefined;

afterEach(async () => relay?.stop());

function journalOf(rows: PositionedRecord[]): JournalRows {
  const after = async (shard: number, position: bigint, limit: number) =>
    shard === 3 ? rows.filter((row) => row.position > position).slice(0, limit) : [];
  return { after } as unknown as JournalRows;
}

function row(position: number): PositionedRecord {
  return {
    position: BigInt(position),
    key: 't',
    headers: { [POSITION_HEADER]: String(position) },
    value: Buffer.from(String(position)),
  };
}

async function carried(log: EventLog): Promise<string[]> {
  const seen: string[] = [];
  if ((await log.head(LEDGER_TOPIC, 3)) === 1n) return seen;
  const stop = new AbortController();
  for await (const { records, next } of log.consume(
    LEDGER_TOPIC,
    3,
    { next: 0n, logId: null },
    stop.signal,
  )) {
    seen.push(...records.map(({ value }) => value.toString()));
    if (next >= (await log.head(LEDGER_TOPIC, 3))) break;
  }
  return seen;
}

async function until(holds: () => Promise<boolean>): Promise<void> {
  for (let turn = 0; turn < 200 && !(await holds()); turn++) await clock.sleep(20);
}

describe('the relay', () => {
  it('carries the journal in order, and after a restart goes on after the last position it finds', async () => {
    const log = openEventLog({ kind: 'memory' }, { logger, clock });
    await log.createTopics(SHARD_COUNT);
    const rows = Array.from({ length: 1_200 }, (_, index) => row(index + 1));
    relay = new Relay(journalOf(rows), log, clock, health, logger);
    relay.gained(ALL);
    await until(async () => (await log.head(LEDGER_TOPIC, 3)) === 1_201n);
    await relay.stop();

    rows.push(row(1_201));
    relay = new Relay(journalOf(rows), log, clock, health, logger);
    relay.gained(ALL);
    await until(async () => (await log.head(LEDGER_TOPIC, 3)) === 1_202n);
    expect(await carried(log)).toEqual(rows.map(({ position }) => String(position)));
  });

  it('carries a commit as soon as it is woken', async () => {
    const log = openEventLog({ kind: 'memory' }, { logger, clock });
    await log.createTopics(SHARD_COUNT);
    const rows: PositionedRecord[] = [];
    relay = new Relay(journalOf(rows), log, clock, health, logger);
    relay.gained(ALL);
    await clock.sleep(30);
    rows.push(row(1));
    relay.wake(3);
    await clock.sleep(50);
    expect(await carried(log)).toEqual(['1']);
  });

  it('looks up the last position again after an append whose outcome is unknown, and carries nothing twice', async () => {
    const log = openEventLog({ kind: 'memory' }, { logger, clock });
    await log.createTopics(SHARD_COUNT);
    const append = log.append.bind(log);
    let lost = false;
    log.append = async (...given) => {
      const offset = await append(...given);
      if (lost) return offset;
      lost = true;
      throw new Error('the answer was lost');
    };
    relay = new Relay(journalOf([row(1), row(2)]), log, clock, health, logger);
    relay.gained(ALL);
    await clock.sleep(900);
    expect(await carried(log)).toEqual(['1', '2']);
  });

  it('ends in time although an append is never answered', async () => {
    const log = openEventLog({ kind: 'memory' }, { logger, clock });
    await log.createTopics(SHARD_COUNT);
    const appending = Promise.withResolvers<void>();
    log.append = () => {
      appending.resolve();
      return new Promise(() => undefined);
    };
    relay = new Relay(journalOf([row(1)]), log, clock, health, logger);
    relay.gained(ALL);
    await appending.promise;
    const startedMs = clock.monotonicMs();
    await relay.stop();
    expect(clock.monotonicMs() - startedMs).toBeLessThan(2_000);
    relay = undefined;
  });

  it('stops at a partition of another log, and tells it in the health', async () => {
    const log = openEventLog({ kind: 'memory' }, { logger, clock });
    await log.createTopics(SHARD_COUNT);
    log.head = async (_topic, partition) => {
      if (partition === 3) throw new LogMismatchError('another log');
      return 1n;
    };
    relay = new Relay(journalOf([row(1)]), log, clock, health, logger);
    relay.gained(ALL);
    await until(async () => health.report() !== null);
    expect(health.report()).toEqual({
      'relay-3': 'LogMismatchError: an operator must look at this partition',
    });
  });
});
