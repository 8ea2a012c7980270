import { Body, Controller, HttpCode, Inject, Post, UseGuards } from '@nestjs/common';
import { VendoError } from '@vendo/errors';
import { shardOf } from '@vendo/events';
import {
  Beat,
  type BeatAnswer,
  type ReserveAnswer,
  ReserveBatch,
  type ReserveCommand,
  type SpoolRef,
} from '@vendo/ledger-api';
import { microsFromWire } from '@vendo/money';
import { SpoolBeats } from '../expiry/spool-beats.js';
import { InternalGuard } from '../internal.guard.js';
import { parseRequest } from '../parse-request.js';
import type { Reserve } from '../wallet/wallet.js';
import { Shards } from './shards.js';
import type { Answer } from './work.js';
import { Writer } from './writer.js';

/** The hot path: one request carries all commands of a gateway's tick, and each answers for itself after the commit. */
@Controller('internal')
@UseGuards(InternalGuard)
export class WriterController {
  constructor(
    @Inject(Writer) private readonly writer: Writer,
    @Inject(SpoolBeats) private readonly beats: SpoolBeats,
    @Inject(Shards) private readonly shards: Shards,
  ) {}

  @Post('reserve')
  @HttpCode(200)
  async reserve(@Body() body: unknown): Promise<{ answers: ReserveAnswer[] }> {
    const { spool, commands } = parseRequest(ReserveBatch, body);
    this.beats.heard(spool);
    const answers = await this.writer.submitAll(commands.map((command) => reserveOf(command, spool.id)));
    return {
      answers: commands.map((command, index) => this.answer(command, answers[index] ?? { status: 'failed' })),
    };
  }

  @Post('beat')
  @HttpCode(200)
  async beat(@Body() body: unknown): Promise<BeatAnswer> {
    const { spool, ask } = parseRequest(Beat, body);
    const { adopted } = await this.adoption(spool);
    const owners = this.shards.owners();
    return {
      marks: Object.fromEntries([spool.id, ...ask].map((id) => [id, this.writer.marksOf(id)])),
      consumed: Object.fromEntries(
        this.writer.offsets().map(({ partition, next }) => [String(partition), Number(next)]),
      ),
      owners: Object.fromEntries(owners),
      adopted,
    };
  }

  private adoption(spool: SpoolRef): Promise<{ adopted: boolean }> {
    return this.beats.beat(spool).catch((thrown: unknown) => {
      throw new VendoError('billing_unavailable', undefined, {}, { cause: thrown });
    });
  }

  private answer({ hold_id, tenant_id }: ReserveCommand, answer: Answer): ReserveAnswer {
    if (answer.status !== 'moved') return wireOf(answer, hold_id);
    return { status: 'moved', hold_id, owner: this.shards.ownerOf(shardOf(tenant_id)) };
  }
}

function reserveOf(command: ReserveCommand, spoolId: string): Reserve {
  return {
    type: 'reserve',
    holdId: command.hold_id,
    tenantId: command.tenant_id,
    subject: command.subject,
    amount: microsFromWire(command.amount_micros),
    spoolId,
    rateVersion: command.rate_version,
  };
}

function wireOf(answer: Exclude<Answer, { status: 'moved' }>, holdId: string): ReserveAnswer {
  if (answer.status === 'refused') {
    const { code, retryAfter } = answer.refusal;
    // Credits alone have idempotency keys.
    if (code === 'idempotency_conflict') return { status: 'failed', hold_id: holdId };
    const base = { status: 'refused', hold_id: holdId, code } as const;
    return retryAfter === undefined ? base : { ...base, retry_after: retryAfter };
  }
  if (answer.status === 'failed' || !answer.hold) return { status: 'failed', hold_id: holdId };
  const { reservedAtMs, rateVersion } = answer.hold;
  return {
    status: 'open',
    hold_id: holdId,
    reserved_at: new Date(reservedAtMs).toISOString(),
    rate_version: rateVersion,
  };
}
