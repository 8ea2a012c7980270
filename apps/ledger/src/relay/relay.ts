import { EventLog, LogMismatchError } from '@vendo/event-log';
import { LEDGER_TOPIC, POSITION_HEADER } from '@vendo/events';
import type { Clock, Health, Logger } from '@vendo/runtime';
import { ShardLoops } from '../writer/shard-loops.js';
import type { JournalRows, PositionedRecord } from './journal-rows.js';

const BATCH_LIMIT = 500;
const POLL_MS = 250;
const RETRY_MS = 500;
const FIND_WITHIN_MS = 10_000;
const STOP_WITHIN_MS = 1_000;

/**
 * Carries the journal to topic ledger.events on Kafka, one loop per owned shard, in position order. It stores no progress:
 * at the start and after a failed append it goes on after the last position that it finds on the partition. Readers drop
 * positions that they have seen, so it does no harm when the relay of the shard's last owner has an append under way
 * for a moment longer: each appends a run that begins at most one after what it knows to be there, so there are repeats
 * and never a gap. A partition of another log is stopped and told in the health.
 */
export class Relay {
  private readonly loops = new ShardLoops((shard, signal) => this.carry(shard, signal));
  private readonly wakes = new Map<number, () => void>();

  constructor(
    private readonly rows: JournalRows,
    private readonly log: EventLog,
    private readonly clock: Clock,
    private readonly health: Health,
    private readonly logger: Logger,
  ) {}

  gained(shards: readonly number[]): void {
    this.loops.begin(shards);
  }

  lost(shards: readonly number[]): void {
    this.loops.end(shards);
    for (const shard of shards) this.health.up(`relay-${shard}`);
  }

  /** An append that Kafka does not answer is not waited for: the next start looks up how it ended. */
  async stop(): Promise<void> {
    await this.clock.within(STOP_WITHIN_MS, this.loops.stop());
  }

  /** Rows of this shard were committed. */
  wake(shard: number): void {
    this.wakes.get(shard)?.();
  }

  private async carry(shard: number, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        await this.carryFrom(shard, await this.lastCarried(shard, signal), signal);
      } catch (thrown) {
        if (signal.aborted) return;
        if (thrown instanceof LogMismatchError) return this.giveUp(shard, thrown);
        this.logger.warn({ err: thrown, shard }, 'relay: looking up the last position again');
        await this.clock.sleep(RETRY_MS, signal);
      }
    }
  }

  private giveUp(shard: number, error: Error): void {
    this.logger.fatal({ err: error, shard }, 'relay: shard stopped');
    this.health.down(`relay-${shard}`, `${error.name}: an operator must look at this partition`);
  }

  private async carryFrom(shard: number, from: bigint, signal: AbortSignal): Promise<void> {
    let last = from;
    while (!signal.aborted) {
      const woken = this.woken(shard, signal);
      const records = await this.rows.after(shard, last, BATCH_LIMIT);
      if (records.length === 0) {
        await woken;
        continue;
      }
      await this.log.append(LEDGER_TOPIC, shard, records.map(withoutPosition));
      last = records.at(-1)?.position ?? last;
    }
  }

  /** Resolves at the next commit of the shard, at the poll, or at the end. Taken before the read, so no commit is missed. */
  private woken(shard: number, signal: AbortSignal): Promise<void> {
    const sleep = new AbortController();
    this.wakes.set(shard, () => sleep.abort());
    return this.clock.sleep(POLL_MS, AbortSignal.any([sleep.signal, signal]));
  }

  /** The position of the partition's last record; 0 when there is none but the genesis. */
  private async lastCarried(shard: number, ended: AbortSignal): Promise<bigint> {
    const head = await this.log.head(LEDGER_TOPIC, shard);
    if (head <= 1n) return 0n;
    const signal = AbortSignal.any([ended, AbortSignal.timeout(FIND_WITHIN_MS)]);
    const from = { next: head - 1n, logId: null };
    for await (const { records } of this.log.consume(LEDGER_TOPIC, shard, from, signal)) {
      const position = records.at(-1)?.headers[POSITION_HEADER];
      if (position !== undefined) return BigInt(position);
    }
    throw new Error(`the last record of ${LEDGER_TOPIC}/${shard} could not be read`);
  }
}

function withoutPosition({ key, headers, value }: PositionedRecord) {
  return { key, headers, value };
}
