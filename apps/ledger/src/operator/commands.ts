import { Inject } from '@nestjs/common';
import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { VendoError } from '@vendo/errors';
import { shardOf } from '@vendo/events';
import type { Caps, CreditEntry, GrantCredit, SetCaps } from '@vendo/ledger-api';
import { microsFromWire, microsToWire } from '@vendo/money';
import { v7 as uuidv7 } from 'uuid';
import { Shards } from '../writer/shards.js';
import { Writer } from '../writer/writer.js';

export class GrantCreditCommand extends Command<CreditEntry> {
  constructor(readonly credit: GrantCredit) {
    super();
  }
}

export class SetCapsCommand extends Command<Caps> {
  constructor(readonly caps: SetCaps) {
    super();
  }
}

/** Answers after the commit; a repeated key with the same body gets the first answer. Throws VendoError `idempotency_conflict`, or `wrong_owner`. */
@CommandHandler(GrantCreditCommand)
export class GrantCreditHandler implements ICommandHandler<GrantCreditCommand> {
  constructor(
    @Inject(Writer) private readonly writer: Writer,
    @Inject(Shards) private readonly shards: Shards,
  ) {}

  async execute({ credit }: GrantCreditCommand): Promise<CreditEntry> {
    const answer = await this.writer.submit({
      type: 'grant',
      tenantId: credit.tenant_id,
      entryId: uuidv7(),
      amount: microsFromWire(credit.amount_micros),
      source: credit.source,
      note: credit.note,
      idempotencyKey: credit.idempotency_key,
    });
    if (answer.status === 'moved') throw this.shards.wrongOwner(shardOf(credit.tenant_id));
    if (answer.status === 'refused') throw new VendoError('idempotency_conflict');
    if (answer.status === 'failed' || !answer.credit) throw new VendoError('internal_error');
    const { entryId, amount, balance, seq } = answer.credit;
    return { id: entryId, amount_micros: microsToWire(amount), balance_micros: microsToWire(balance), seq };
  }
}

/** Answers with the caps in force, once they are committed. Throws VendoError `wrong_owner`. */
@CommandHandler(SetCapsCommand)
export class SetCapsHandler implements ICommandHandler<SetCapsCommand> {
  constructor(
    @Inject(Writer) private readonly writer: Writer,
    @Inject(Shards) private readonly shards: Shards,
  ) {}

  async execute({ caps }: SetCapsCommand): Promise<Caps> {
    const answer = await this.writer.submit({
      type: 'set-caps',
      tenantId: caps.tenant_id,
      subject: caps.subject,
      daily: fromWire(caps.daily_micros),
      monthly: fromWire(caps.monthly_micros),
    });
    if (answer.status === 'moved') throw this.shards.wrongOwner(shardOf(caps.tenant_id));
    if (answer.status !== 'done' || !answer.caps) throw new VendoError('internal_error');
    const { daily, monthly } = answer.caps;
    return { daily_micros: toWire(daily), monthly_micros: toWire(monthly) };
  }
}

function fromWire(micros: number | null | undefined): bigint | null | undefined {
  return typeof micros === 'number' ? microsFromWire(micros) : micros;
}

function toWire(micros: bigint | null): number | null {
  return micros === null ? null : microsToWire(micros);
}
