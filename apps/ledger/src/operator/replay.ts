import { Inject } from '@nestjs/common';
import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { VendoError } from '@vendo/errors';
import { Shards } from '../writer/shards.js';
import { Writer } from '../writer/writer.js';
import { ParkedRecords, type ParkedReport, parkedId } from './parked-records.js';

export class ReplayCommand extends Command<void> {
  /** @param id as the list of parked records has it. */
  constructor(readonly id: string) {
    super();
  }
}

/**
 * Decides a parked record again and then, one after the other, what is parked behind it for the same hold, up to the first
 * that fails again. Each is committed by itself, so a replay that was cut off goes on where it stood when it is asked for
 * again. Throws VendoError `not_found`, `still_parked`, `wrong_owner`.
 */
@CommandHandler(ReplayCommand)
export class ReplayHandler implements ICommandHandler<ReplayCommand> {
  constructor(
    @Inject(ParkedRecords) private readonly parked: ParkedRecords,
    @Inject(Writer) private readonly writer: Writer,
    @Inject(Shards) private readonly shards: Shards,
  ) {}

  async execute({ id }: ReplayCommand): Promise<void> {
    let record = await this.read(this.parked.find(id));
    if (!record) throw new VendoError('not_found', 'There is no such parked record.');
    for (; record; record = await this.read(this.parked.behind(record)))
      if (!record.replayed) await this.replay(record);
  }

  private async replay({ id, report }: ParkedReport): Promise<void> {
    const answer = await this.writer.replay(id, report);
    if (answer.status === 'moved') throw this.shards.wrongOwner(report.partition);
    if (answer.status === 'parked')
      throw new VendoError('still_parked', `${parkedId(id)} stays parked: ${answer.reason}`);
  }

  private read(found: Promise<ParkedReport | null>): Promise<ParkedReport | null> {
    return found.catch((thrown: unknown) => {
      throw new VendoError('billing_unavailable', undefined, {}, { cause: thrown });
    });
  }
}
