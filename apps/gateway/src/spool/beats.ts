import type { Beat, BeatAnswer, LedgerClient } from '@vendo/ledger-api';
import type { SpoolParts } from './spool-parts.js';

export const BEAT_MS = 1_000;

/** A beat to be sent, and what to do with its answer. */
export interface NextBeat {
  beat: Beat;
  answered(answer: BeatAnswer): void;
}

/** Tells the ledger once a second that the own spool's writer lives. */
export class Beats {
  private readonly stopping = new AbortController();
  private running: Promise<void> | null = null;
  private silent = false;

  constructor(
    private readonly ledger: LedgerClient,
    private readonly next: () => NextBeat,
    private readonly parts: Pick<SpoolParts, 'clock' | 'logger' | 'metrics'>,
  ) {}

  start(): void {
    this.running = this.run();
  }

  /** One beat; says whether the ledger answered. */
  async beat(): Promise<boolean> {
    const { logger, metrics } = this.parts;
    const { beat, answered } = this.next();
    try {
      answered(await this.ledger.beat(beat));
      if (this.silent) logger.info('the ledger answers beats again');
      this.silent = false;
      return true;
    } catch (thrown) {
      metrics.beatFailures.inc();
      if (!this.silent) logger.warn({ err: thrown }, 'the ledger does not answer beats');
      this.silent = true;
      return false;
    }
  }

  async stop(): Promise<void> {
    this.stopping.abort();
    await this.running;
  }

  private async run(): Promise<void> {
    const { clock } = this.parts;
    const { signal } = this.stopping;
    while (!signal.aborted) {
      const startedMs = clock.monotonicMs();
      await this.beat();
      await clock.sleep(Math.max(0, BEAT_MS - (clock.monotonicMs() - startedMs)), signal);
    }
  }
}
