import { LEDGER_TOPIC } from '@vendo/events';
import type { Logger } from '@vendo/runtime';
import type pg from 'pg';

/** Wakes the readers of the postgres log after commits: outside of the transaction and coalesced, for NOTIFY takes a global lock. */
export class CommitNotice {
  private sending = false;
  private again = false;

  constructor(
    private readonly pool: pg.Pool,
    private readonly logger: Logger,
  ) {}

  /** Returns at once; readers poll as well, so a notice that is lost only costs time. */
  send(): void {
    this.again = true;
    if (!this.sending) void this.sendAll();
  }

  private async sendAll(): Promise<void> {
    this.sending = true;
    while (this.again) {
      this.again = false;
      await this.pool
        .query({ name: 'notice', text: `select pg_notify('vendo_log', $1)`, values: [LEDGER_TOPIC] })
        .catch((thrown: unknown) => this.logger.debug({ err: thrown }, 'no notice of a commit'));
    }
    this.sending = false;
  }
}
