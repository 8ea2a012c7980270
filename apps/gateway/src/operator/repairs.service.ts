import { Inject, Injectable } from '@nestjs/common';
import { VendoError } from '@vendo/errors';
import { LedgerClient, type SpoolState } from '@vendo/ledger-api';
import { ReadModels } from '@vendo/read-models';
import { Changes } from './changes.js';

/** Decided by the ledger; the audit has that it was asked for, and then how it ended. */
@Injectable()
export class RepairsService {
  constructor(
    @Inject(LedgerClient) private readonly ledger: LedgerClient,
    @Inject(ReadModels) private readonly readModels: ReadModels,
    @Inject(Changes) private readonly changes: Changes,
  ) {}

  /**
   * Gives up what expired under a spool that never returns; no money moves. Throws VendoError `not_found`, or `spool_in_use`
   * while it beats or has open holds.
   */
  async writeOff(spoolId: string, note: string): Promise<SpoolState> {
    await this.announce('spool.write_off_asked', spoolId, { note });
    const spool = await this.ledger.writeOff({ spool_id: spoolId, note });
    await this.announce('spool.written_off', spoolId, spool);
    return spool;
  }

  /**
   * Decides a parked record again, and what is parked behind it: of the ledger before it returns; of a projection, whose
   * projector does it, soon after. Throws VendoError `not_found`, or `still_parked` with the record that cannot be applied
   * and why.
   */
  async replay(id: string): Promise<void> {
    const [, by, number] = /^(ledger|projection)-([1-9]\d{0,17})$/.exec(id) ?? [];
    if (by === undefined || number === undefined) throw noRecord();
    await this.announce('parked.replay_asked', id, null);
    if (by === 'projection') {
      if (!(await this.readModels.requestReplay(number))) throw noRecord();
      return;
    }
    try {
      await this.ledger.replay(id);
    } catch (thrown) {
      if (thrown instanceof VendoError && thrown.code === 'still_parked')
        await this.announce('parked.stayed', id, { reason: thrown.message });
      throw thrown;
    }
    await this.announce('parked.replayed', id, null);
  }

  private announce(action: string, subject: string, after: object | null): Promise<void> {
    return this.changes.announce({ action, subject, before: null, after });
  }
}

function noRecord(): VendoError {
  return new VendoError('not_found', 'There is no such parked record.');
}
