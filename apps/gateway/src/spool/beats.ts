import type { BeatAnswer, LedgerClient, SpoolRef } from '@vendo/ledger-api';
import type { SpoolParts } from './spool-parts.js';

export const BEAT_MS = 1_000;
/** Tells the ledger once a second that this spool's writer lives, and hands out the marks that it answers with. */
export class Beats {
  private readonly stopping = new AbortController();
  private running: Promise<void> | null = null;
  private silent = false;

  /** @param ask the further spools whose marks are wanted, at most 1,000 (the schema's limit). */
  constructor(
    private readonly ledger: LedgerClient,
    private readonly spool: SpoolRef,
    private readonly ask: () => string[],
    private readonly onMarks: (marks: BeatAnswer['marks']) => void,
    private readonly parts: Pick<SpoolParts, 'clock' | 'logger' | 'metrics'>,
  ) {}

  start(): void {
    this.running = this.run();
  }

  /** One beat; says whether the ledger answered. */
  async beat(): Promise<boolean> {
    const { logger, metrics } = this.parts;
    try {
      const { marks } = await this.ledger.beat({ spool: this.spool, ask: this.ask() });
      this.onMarks(marks);
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
