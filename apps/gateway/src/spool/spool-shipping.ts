import type { EventLog } from '@vendo/event-log';
import { type EventRecord, GATEWAY_TOPIC, SHARD_COUNT } from '@vendo/events';
import type { LedgerClient } from '@vendo/ledger-api';
import { Beats } from './beats.js';
import type { FrameSource } from './frame-source.js';
import { Leftovers } from './leftovers.js';
import type { Marks } from './marks.js';
import type { AppendToLog } from './partition-lane.js';
import { Shipper } from './shipper.js';
import type { Spool } from './spool.js';
import type { SpoolParts } from './spool-parts.js';

/** The spool of this process as shipping needs it. */
export interface OwnSpool extends Spool, FrameSource {
  readonly bytes: number;
  onWritten: () => void;
  leftoverBytes: () => number;
  marked(marks: Marks): void;
  isMarked(): boolean;
  oldestUnmarkedMs(): number;
  close(): Promise<void>;
}

export interface ShippingOptions {
  dataDir: string;
  host: string;
  /** How long `stop` waits for the log and the marks, milliseconds. */
  flushWithinMs: number;
}

const FLUSH_POLL_MS = 20;

/** Everything between the spool's files and the ledger: ships the own spool and leftovers, beats, lets the marks delete. */
export class SpoolShipping {
  private readonly shipper: Shipper;
  private readonly leftovers: Leftovers;
  private readonly beats: Beats;
  private readonly stopping = new AbortController();
  private asked: string[] = [];

  constructor(
    private readonly spool: OwnSpool,
    private readonly log: EventLog,
    ledger: LedgerClient,
    private readonly options: ShippingOptions,
    private readonly parts: SpoolParts,
  ) {
    const { dataDir, host } = options;
    const append = appendInTurn(log);
    this.shipper = new Shipper({ source: spool, dataDir, append, marks: {} }, parts);
    this.leftovers = new Leftovers({ dataDir, host, ownId: spool.ref.id, append }, parts);
    this.beats = new Beats(
      ledger,
      spool.ref,
      () => {
        this.asked = this.leftovers.asking();
        return this.asked;
      },
      (marks) => {
        spool.marked(marks[spool.ref.id] ?? {});
        this.leftovers.marked(this.asked, marks);
      },
      parts,
    );
    parts.metrics.watch({
      bytes: () => spool.bytes + this.leftovers.bytes,
      shipLagMs: () => this.shipper.lagMs,
      oldestUnmarkedMs: () => spool.oldestUnmarkedMs(),
      leftovers: () => this.leftovers.count,
    });
  }

  /**
   * Begins; resolves once the data folder is looked through. The log and the ledger may still be away.
   * @param onFatal called when the log is another one than configured: nothing can be shipped there.
   */
  async start(onFatal: (error: unknown) => void): Promise<void> {
    this.spool.onWritten = () => this.shipper.wake();
    this.spool.leftoverBytes = () => this.leftovers.bytes;
    await this.leftovers.find();
    this.beats.start();
    this.log.ready(SHARD_COUNT, this.stopping.signal).then(
      () => {
        if (!this.stopping.signal.aborted) this.shipper.start();
      },
      (thrown) => {
        if (!this.stopping.signal.aborted) onFatal(thrown);
      },
    );
  }

  /** Ships what is there for a bounded time, waits in what is left of it for the marks, and leaves the rest to the next start. */
  async stop(): Promise<void> {
    const { clock, logger } = this.parts;
    const endMs = clock.monotonicMs() + this.options.flushWithinMs;
    const inTime = (): boolean => clock.monotonicMs() < endMs;
    while (!this.shipper.isDone && inTime()) await clock.sleep(FLUSH_POLL_MS);
    await Promise.race([this.beats.stop(), clock.sleep(Math.max(0, endMs - clock.monotonicMs()))]);
    while (this.shipper.isDone && !this.spool.isMarked() && inTime() && (await this.beats.beat()))
      await clock.sleep(FLUSH_POLL_MS);
    this.stopping.abort();
    if (!this.shipper.isDone)
      logger.warn(
        { spool: this.spool.ref.id },
        'the log does not have all of the spool: the next start ships on',
      );
    await this.leftovers.stop();
    await this.shipper.stop();
    await this.spool.close();
  }
}

/** Own spool and leftovers share the partitions, and appends to one must not overlap: they wait for each other here. */
function appendInTurn(log: EventLog): AppendToLog {
  const tails = new Map<number, Promise<unknown>>();
  return async (partition: number, records: readonly EventRecord[]): Promise<void> => {
    const turn = (tails.get(partition) ?? Promise.resolve()).then(() =>
      log.append(GATEWAY_TOPIC, partition, records),
    );
    tails.set(
      partition,
      turn.catch(() => undefined),
    );
    await turn;
  };
}
