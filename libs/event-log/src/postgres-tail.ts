import { GATEWAY_TOPIC, LEDGER_TOPIC, type Topic } from '@vendo/events';
import type { Clock, Logger } from '@vendo/runtime';
import type pg from 'pg';
import { BATCH_RECORDS_MAX } from './batch-queue.js';
import { OffsetOutOfRangeError, type StoredRecord } from './event-log.js';

/** A NOTIFY may be lost with its connection; then this is how late a record is read. */
const POLL_MS = 250;
/** Records that one query returns over all partitions; with many partitions each gets its share. */
const QUERY_RECORDS_MAX = 2_000;
const PARTITION_RECORDS_MIN = 50;

/** A read that has had no answer for this long has lost its server, milliseconds: it is asked again. */
const ANSWER_WITHIN_MS = 10_000;

/** One query for all waiting reads: each finds its own rows by index. */
const READ = {
  [GATEWAY_TOPIC]: `
    select wanted.read, found."offset", found.key, found.headers, found.value
    from unnest($1::int[], $2::bigint[]) with ordinality as wanted(partition, next, read)
    cross join lateral (
      select "offset", key, headers, value from log.records
      where topic = '${GATEWAY_TOPIC}' and partition = wanted.partition and "offset" >= wanted.next
      order by "offset" limit $3
    ) as found
    order by wanted.read, found."offset"`,
  [LEDGER_TOPIC]: `
    select wanted.read, found.off as "offset", found.key, found.headers, found.value
    from unnest($1::int[], $2::bigint[]) with ordinality as wanted(partition, next, read)
    cross join lateral (
      select off, key, headers, value from log.ledger_events
      where part = wanted.partition and off >= wanted.next
      order by off limit $3
    ) as found
    order by wanted.read, found.off`,
};

interface Row {
  read: string;
  offset: string;
  key: string;
  headers: Record<string, string>;
  value: Buffer;
}

interface Read {
  partition: number;
  next: bigint;
  answer(records: StoredRecord[]): void;
  fail(error: Error): void;
}

/**
 * The end of one topic, followed for all of its readers in this process: a wake (NOTIFY, poll or a new read) costs one
 * query, however many partitions wait. Nothing is fetched that no reader asked for.
 */
export class PostgresTail {
  private readonly waiting = new Set<Read>();
  private running = false;
  private woken: (() => void) | null = null;
  private wokenEarly = false;
  private reachable = true;

  constructor(
    private readonly topic: Topic,
    private readonly pool: pg.Pool,
    private readonly surroundings: { clock: Clock; logger: Logger },
  ) {}

  /** The records from `next` on, waiting for at least one; none when the signal aborts. Survives outages by waiting. */
  pull(partition: number, next: bigint, signal: AbortSignal): Promise<StoredRecord[]> {
    if (signal.aborted) return Promise.resolve([]);
    return new Promise((resolve, reject) => {
      const finish = (): void => {
        this.waiting.delete(read);
        signal.removeEventListener('abort', abort);
      };
      const abort = (): void => read.answer([]);
      const read: Read = {
        partition,
        next,
        answer: (records) => {
          finish();
          resolve(records);
        },
        fail: (error) => {
          finish();
          reject(error);
        },
      };
      signal.addEventListener('abort', abort, { once: true });
      this.waiting.add(read);
      this.wake();
    });
  }

  /** Something may have been appended, or somebody new waits. */
  wake(): void {
    this.wokenEarly = true;
    this.woken?.();
    if (!this.running) void this.follow();
  }

  private async follow(): Promise<void> {
    this.running = true;
    while (this.waiting.size > 0) {
      // Reads that begin in the same turn share the query.
      await new Promise((resolve) => setImmediate(resolve));
      this.wokenEarly = false;
      await this.answerWaiting();
      await this.untilWoken();
    }
    this.running = false;
  }

  private async untilWoken(): Promise<void> {
    if (this.waiting.size === 0 || (this.wokenEarly && this.reachable)) return;
    const wake = new AbortController();
    if (this.reachable) this.woken = () => wake.abort();
    await this.surroundings.clock.sleep(POLL_MS, wake.signal);
    this.woken = null;
  }

  private async answerWaiting(): Promise<void> {
    const reads = [...this.waiting];
    const share = Math.max(PARTITION_RECORDS_MIN, Math.floor(QUERY_RECORDS_MAX / reads.length));
    try {
      const query: pg.QueryConfig & { query_timeout: number } = {
        query_timeout: ANSWER_WITHIN_MS,
        name: `log-read-${this.topic}`,
        text: READ[this.topic],
        values: [
          reads.map(({ partition }) => partition),
          reads.map(({ next }) => next),
          Math.min(BATCH_RECORDS_MAX, share),
        ],
      };
      const { rows } = await this.pool.query<Row>(query);
      this.reachable = true;
      const found = Map.groupBy(rows, ({ read }) => Number(read) - 1);
      for (const [index, read] of reads.entries()) this.deliver(read, found.get(index) ?? []);
    } catch (thrown) {
      if (this.reachable)
        this.surroundings.logger.warn({ err: thrown, topic: this.topic }, 'event log unreachable, waiting');
      this.reachable = false;
    }
  }

  private deliver(read: Read, rows: Row[]): void {
    if (rows.length === 0 || !this.waiting.has(read)) return;
    const records = rows.map(({ offset, key, headers, value }) => ({
      offset: BigInt(offset),
      key,
      headers,
      value,
    }));
    const stray = records.find(({ offset }, index) => offset !== read.next + BigInt(index));
    if (!stray) read.answer(records);
    else
      read.fail(
        new OffsetOutOfRangeError(
          `${this.topic}/${read.partition}: reading from ${read.next} found ${stray.offset} out of turn`,
        ),
      );
  }
}
