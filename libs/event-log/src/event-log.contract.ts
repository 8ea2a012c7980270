import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { type EventRecord, GATEWAY_TOPIC } from '@vendo/events';
import {
  type EventLog,
  type LogBatch,
  LogMismatchError,
  type LogPosition,
  OffsetOutOfRangeError,
} from './event-log.js';

/** A log that is empty at first. Each handle stands for one process; `dispose` closes them and removes the log. */
export interface LogUnderTest {
  open(): EventLog;
  dispose(): Promise<void>;
}

export const PARTITIONS = 4;
const BEGINNING: LogPosition = { next: 0n, logId: null };

/** What every adapter of EventLog must do; a spec of each runs it. */
export function eventLogContract(make: () => Promise<LogUnderTest>): void {
  let log: LogUnderTest;
  let writer: EventLog;
  let ended: AbortController;

  beforeEach(async () => {
    log = await make();
    writer = log.open();
    await writer.createTopics(PARTITIONS);
    ended = new AbortController();
  });
  afterEach(async () => {
    ended.abort();
    await log.dispose();
  });

  const read = (partition: number, from = BEGINNING, through = writer): AsyncIterator<LogBatch> =>
    through.consume(GATEWAY_TOPIC, partition, from, ended.signal)[Symbol.asyncIterator]();
  const append = (partition: number, ...texts: string[]): Promise<bigint> =>
    writer.append(GATEWAY_TOPIC, partition, texts.map(record));

  describe('appending and reading', () => {
    it('delivers what was appended, in order, bytes and headers unchanged', async () => {
      const exotic = {
        key: 'tenant-ä',
        headers: { ce_type: 'X.v1', ce_id: '"{}\\' },
        value: Buffer.from([0, 255, 92, 120, 10]),
      };
      expect(await writer.append(GATEWAY_TOPIC, 1, [exotic, record('b')])).toBe(1n);
      expect(await append(1, 'c')).toBe(3n);
      const { records, next } = await take(read(1), 3);
      expect(records).toEqual([
        { ...exotic, offset: 1n },
        { ...record('b'), offset: 2n },
        { ...record('c'), offset: 3n },
      ]);
      expect(next).toBe(4n);
      expect(await writer.head(GATEWAY_TOPIC, 1)).toBe(4n);
    });

    it('keeps the order of each partition, whatever is appended to the others', async () => {
      const numbers = Array.from({ length: 60 }, (_, n) => String(n));
      await Promise.all(
        [0, 1, 2].map(async (partition) => {
          for (const n of numbers) await append(partition, n);
        }),
      );
      for (const partition of [0, 1, 2]) expect(await texts(read(partition), 60)).toEqual(numbers);
    });

    it('delivers what is appended while somebody reads, also by another process', async () => {
      const reader = read(0, BEGINNING, log.open());
      const first = reader.next();
      await append(0, 'late');
      expect(textsOf((await first).value)).toEqual(['late']);
      await append(0, 'later');
      expect(await texts(reader, 1)).toEqual(['later']);
    });

    it('never delivers the genesis record, and a fresh partition has head 1', async () => {
      expect(await writer.head(GATEWAY_TOPIC, 2)).toBe(1n);
      await append(2, 'a');
      expect((await take(read(2), 1)).records.map(({ offset }) => offset)).toEqual([1n]);
    });

    it('refuses to append nothing', async () => {
      await expect(writer.append(GATEWAY_TOPIC, 0, [])).rejects.toThrow(RangeError);
    });
  });

  describe('positions', () => {
    it('delivers again after a crash before the commit, and goes on after one that was committed', async () => {
      await append(0, 'a', 'b', 'c', 'd');
      const seen = await take(read(0), 4);
      const restarted = log.open();
      expect(await texts(read(0, BEGINNING, restarted), 4)).toEqual(['a', 'b', 'c', 'd']);
      expect(await texts(read(0, { next: 3n, logId: seen.logId }, restarted), 2)).toEqual(['c', 'd']);
    });

    it('replays from 0 as often as wanted, the same records each time', async () => {
      await append(3, ...Array.from({ length: 1_200 }, (_, n) => `record ${n}`));
      const once = await take(read(3), 1_200);
      const again = await take(read(3), 1_200);
      expect(again).toEqual(once);
      expect(once.next).toBe(1_201n);
    });

    it('stops a reader whose position is beyond the head', async () => {
      await append(0, 'a');
      await expect(read(0, { next: 3n, logId: null }).next()).rejects.toThrow(OffsetOutOfRangeError);
    });

    it('waits at the head, which is no error', async () => {
      await append(0, 'a');
      const next = read(0, { next: 2n, logId: null }).next();
      await append(0, 'b');
      expect(textsOf((await next).value)).toEqual(['b']);
    });

    it('stops a reader that comes from another log', async () => {
      await append(0, 'a');
      const foreign = { next: 1n, logId: '5e0f4c3c-0000-4000-8000-000000000000' };
      await expect(read(0, foreign).next()).rejects.toThrow(LogMismatchError);
    });

    it('names each partition by an id of its own that stays', async () => {
      await append(0, 'a');
      await append(1, 'a');
      const ids = [
        await take(read(0), 1),
        await take(read(1), 1),
        await take(read(0, BEGINNING, log.open()), 1),
      ];
      expect(ids[0]?.logId).not.toBe(ids[1]?.logId);
      expect(ids[2]?.logId).toBe(ids[0]?.logId);
    });
  });

  describe('readers', () => {
    it('get bounded batches', async () => {
      await append(0, ...Array.from({ length: 1_700 }, (_, n) => String(n)));
      const reader = read(0);
      let next = 1n;
      for (let read = 0; read < 1_700; ) {
        const { records, next: after } = await batchOf(reader);
        expect(records.length).toBeLessThanOrEqual(500);
        expect(records[0]?.offset).toBe(next);
        next = after;
        read += records.length;
      }
      expect(next).toBe(1_701n);
    });

    it('of one partition do not hold up those of another', async () => {
      await append(0, ...Array.from({ length: 3_000 }, (_, n) => String(n)));
      const stuck = read(0);
      await batchOf(stuck);
      const other = read(1);
      for (const text of ['a', 'b', 'c']) {
        await append(1, text);
        expect(await texts(other, 1)).toEqual([text]);
      }
      expect((await batchOf(stuck)).records.length).toBeGreaterThan(0);
    });

    it('of the same partition each get everything', async () => {
      await append(0, 'a', 'b');
      const [one, two] = [read(0), read(0)];
      expect(await Promise.all([texts(one, 2), texts(two, 2)])).toEqual([
        ['a', 'b'],
        ['a', 'b'],
      ]);
    });

    it('end when the signal aborts, while they wait', async () => {
      const reader = read(0);
      const waiting = reader.next();
      ended.abort();
      expect(await waiting).toMatchObject({ done: true });
    });

    it('end when the log is closed', async () => {
      const other = log.open();
      const waiting = read(0, BEGINNING, other).next();
      await other.close();
      expect(await waiting).toMatchObject({ done: true });
    });
  });

  describe('topics', () => {
    it('are made once: making them again keeps what is there', async () => {
      await append(0, 'a');
      await log.open().createTopics(PARTITIONS);
      expect(await texts(read(0), 1)).toEqual(['a']);
    });

    it('refuse another partition count', async () => {
      await expect(log.open().createTopics(PARTITIONS + 1)).rejects.toThrow(LogMismatchError);
      await expect(log.open().ready(PARTITIONS + 1, ended.signal)).rejects.toThrow(LogMismatchError);
      await expect(log.open().ready(PARTITIONS, ended.signal)).resolves.toBeUndefined();
    });
  });
}

export function record(text: string): EventRecord {
  return { key: 'tenant', headers: { ce_type: 'Test.v1', ce_id: text }, value: Buffer.from(text) };
}

export async function batchOf(reader: AsyncIterator<LogBatch>): Promise<LogBatch> {
  const { value, done } = await reader.next();
  if (done) throw new Error('the reader ended');
  return value;
}

/** Reads until `count` records are there. */
export async function take(reader: AsyncIterator<LogBatch>, count: number): Promise<LogBatch> {
  const all = await batchOf(reader);
  while (all.records.length < count) {
    const { records, next } = await batchOf(reader);
    all.records.push(...records);
    all.next = next;
  }
  return all;
}

export async function texts(reader: AsyncIterator<LogBatch>, count: number): Promise<string[]> {
  return textsOf(await take(reader, count));
}

function textsOf(batch: LogBatch): string[] {
  return batch.records.map(({ value }) => value.toString());
}
