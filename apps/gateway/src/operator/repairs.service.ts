import { Inject, Injectable } from '@nestjs/common';
import { VendoError } from '@vendo/errors';
import { LedgerClient, type SpoolState } from '@vendo/ledger-api';
import { Changes } from './changes.js';

/** Decided by the ledger; the audit has that it was asked for, and then how it ended. */
@Injectable()
export class RepairsService {
  constructor(
    @Inject(LedgerClient) private readonly ledger: LedgerClient,
    @Inject(Changes) private readonly changes: Changes,
  ) {}

  /**
   * Gives up what expired under a spool that never returns; no money moves. Throws VendoError `not_found`, or `spool_in_use`
   * while it beats or has open holds.
   */
  async writeOff(spoolId: string, note: string): Promise<SpoolState> {
    const subject = spoolId;
    await this.changes.announce({ action: 'spool.write_off_asked', subject, before: null, after: { note } });
    const spool = await this.ledger.writeOff({ spool_id: spoolId, note });
    await this.changes.announce({ action: 'spool.written_off', subject, before: null, after: spool });
    return spool;
  }

  /**
   * Decides a parked record again, and what is parked behind it. Throws VendoError `not_found`, or `still_parked` with the
   * record that cannot be applied and why.
   */
  async replay(id: string): Promise<void> {
    if (!id.startsWith('ledger-')) throw new VendoError('not_found', 'There is no such parked record.');
    const subject = id;
    await this.changes.announce({ action: 'parked.replay_asked', subject, before: null, after: null });
    try {
      await this.ledger.replay(id);
    } catch (thrown) {
      if (thrown instanceof VendoError && thrown.code === 'still_parked')
        await this.changes.announce({
          action: 'parked.stayed',
          subject,
          before: null,
          after: { reason: thrown.message },
        });
      throw thrown;
    }
    await this.changes.announce({ action: 'parked.replayed', subject, before: null, after: null });
  }
}
