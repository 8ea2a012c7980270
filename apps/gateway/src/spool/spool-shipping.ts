import type { EventLog } from '@vendo/event-log';
import { type EventRecord, GATEWAY_TOPIC, SHARD_COUNT } from '@vendo/events';
import type { BeatAnswer, LedgerClient } from '@vendo/ledger-api';
import { Adoptions, type AskedSpool } from './adoptions.js';
import { Beats, type NextBeat } from './beats.js';
import type { OwnSpool } from './own-spool.js';
import type { AppendToLog } from './partition-lane.js';
import { Shipper } from './shipper.js';
import type { SpoolParts } from './spool-parts.js';
import type { WrittenSpool } from './written-spool.js';

export interface ShippingOptions {
  dataDir: string;
  host: string;
  /** How long `stop` waits for the log and the marks, milliseconds. */
  flushWithinMs: number;
}

const FLUSH_POLL_MS = 20;

/** Everything between the spools' files and the ledger: ships the own spool and adopted ones, beats, lets the marks delete. */
export class SpoolShipping {
  private readonly append: AppendToLog;
  private shipper: Shipper;
  private readonly adoptions: Adoptions;
  private readonly beats: Beats;
  private logIsReady = false;
  private readonly stopping = new AbortController();

  constructor(
    private readonly spool: OwnSpool,
    private readonly log: EventLog,
    ledger: LedgerClient,
    private readonly options: ShippingOptions,
    private readonly parts: SpoolParts,
  ) {
    const { dataDir, host } = options;
    this.append = appendInTurn(log);
    this.adoptions = new Adoptions(spool, ledger, { dataDir, host, append: this.append }, parts);
    this.shipper = this.shipperOf(spool.writing);
    this.beats = new Beats(ledger, () => this.nextBeat(), parts);
    parts.metrics.watch({
      bytes: () => spool.writing.bytes + this.adoptions.bytes,
      shipLagMs: () => this.shipper.lagMs,
      oldestUnmarkedMs: () => spool.writing.oldestUnmarkedMs(),
      leftovers: () => this.adoptions.count,
    });
  }

  /**
   * Begins; resolves once the data folder is looked through. The log and the ledger may still be away.
   * @param onFatal called when the log is another one than configured: nothing can be shipped there.
   */
  async start(onFatal: (error: unknown) => void): Promise<void> {
    await this.adoptions.measure();
    this.beats.start();
    this.log.ready(SHARD_COUNT, this.stopping.signal).then(
      () => {
        if (this.stopping.signal.aborted) return;
        this.logIsReady = true;
        this.shipper.start();
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
    await clock.within(Math.max(0, endMs - clock.monotonicMs()), this.beats.stop());
    while (this.shipper.isDone && !this.spool.writing.isMarked() && inTime() && (await this.beats.beat()))
      await clock.sleep(FLUSH_POLL_MS);
    this.stopping.abort();
    if (!this.shipper.isDone)
      logger.warn(
        { spool: this.spool.ref.id },
        'the log does not have all of the spool: the next start ships on',
      );
    await this.adoptions.stop();
    await this.shipper.stop();
    await this.spool.writing.close({ keepFolder: this.adoptions.count > 0 });
  }

  private nextBeat(): NextBeat {
    const { writing } = this.spool;
    const onDisk = writing.beatSent();
    const asked = this.adoptions.asking();
    return {
      beat: { spool: writing.ref, ask: asked.map(({ spool }) => spool.id) },
      answered: (answer) => this.answered(writing, onDisk, asked, answer),
    };
  }

  private answered(beaten: WrittenSpool, onDisk: number, asked: AskedSpool[], answer: BeatAnswer): void {
    // An answer that was long on its way may be about a spool that was left meanwhile.
    if (beaten !== this.spool.writing || this.stopping.signal.aborted) return;
    if (answer.adopted) {
      this.move();
    } else {
      beaten.beatIsGood(onDisk);
      beaten.marked(answer.marks[beaten.id] ?? {});
      this.shipper.marked(answer.marks[beaten.id] ?? {}, answer.consumed);
    }
    this.adoptions.marked(asked, answer);
  }

  /** Another process ships our spool on: it was not heard of for too long. We go on in a new one. */
  private move(): void {
    const { logger, metrics } = this.parts;
    const left = this.spool.writing;
    const facts = { alert: 'spool_adopted', spool: left.id };
    try {
      this.spool.move();
    } catch (thrown) {
      logger.error({ ...facts, err: thrown }, 'the spool was adopted, and no new one can be opened');
      return;
    }
    metrics.moves.inc();
    logger.error({ ...facts, next: this.spool.ref.id }, 'the spool was adopted: going on in a new one');
    void this.shipper.stop();
    this.shipper = this.shipperOf(this.spool.writing);
    if (this.logIsReady) this.shipper.start();
  }

  private shipperOf(source: WrittenSpool): Shipper {
    const { dataDir } = this.options;
    const shipper = new Shipper({ source, dataDir, append: this.append, isNew: true }, this.parts);
    source.onWritten = () => shipper.wake();
    source.leftoverBytes = () => this.adoptions.bytes;
    return shipper;
  }
}

/** Own spool and adopted ones share the partitions, and appends to one must not overlap: they wait for each other here. */
function appendInTurn(log: EventLog): AppendToLog {
  const tails = new Map<number, Promise<unknown>>();
  return async (partition: number, records: readonly EventRecord[]): Promise<bigint> => {
    const turn = (tails.get(partition) ?? Promise.resolve()).then(() =>
      log.append(GATEWAY_TOPIC, partition, records),
    );
    tails.set(
      partition,
      turn.catch(() => undefined),
    );
    return await turn;
  };
}
