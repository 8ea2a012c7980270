import { Inject } from '@nestjs/common';
import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { VendoError } from '@vendo/errors';
import type { SpoolState, WriteOff } from '@vendo/ledger-api';
import type pg from 'pg';
import { OPERATOR_POOL } from './operator-pool.js';
import { spoolStates } from './queries.js';

export class WriteOffCommand extends Command<SpoolState> {
  constructor(readonly writeOff: WriteOff) {
    super();
  }
}

/**
 * Notes that what expired under a spool is given up. It moves no money: the expired holds stay expired, and if the spool
 * returns after all its settlements are charged late as ever. The first note stays. Throws VendoError `not_found`, or
 * `spool_in_use` while the sum may still change: the spool beats, or its holds have not expired yet.
 */
@CommandHandler(WriteOffCommand)
export class WriteOffHandler implements ICommandHandler<WriteOffCommand> {
  constructor(@Inject(OPERATOR_POOL) private readonly pool: pg.Pool) {}

  async execute({ writeOff: { spool_id, note } }: WriteOffCommand): Promise<SpoolState> {
    const state = await this.write(spool_id, note).catch((thrown: unknown) => {
      throw new VendoError('billing_unavailable', undefined, {}, { cause: thrown });
    });
    if (!state) throw new VendoError('not_found', 'There is no such spool.');
    if (state.written_off_at !== null) return state;
    const why =
      state.open_holds > 0
        ? `The spool has ${state.open_holds} open holds; they expire first.`
        : 'The spool was heard of in the last 70 s.';
    throw new VendoError('spool_in_use', why);
  }

  private async write(spoolId: string, note: string): Promise<SpoolState | undefined> {
    await this.pool.query(
      `update ledger.spools s set written_off_at = clock_timestamp(), written_off_note = $2
       where s.id = $1 and s.written_off_at is null and ledger.is_silent(s.beat_at)
         and not exists (
           select from ledger.holds h where h.spool_id = s.id
             and not exists (select from ledger.jobs j where j.hold_id = h.hold_id))`,
      [spoolId, note],
    );
    return (await spoolStates(this.pool, spoolId))[0];
  }
}
