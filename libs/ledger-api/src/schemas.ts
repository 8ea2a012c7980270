import { EVENTS, MicrosWire, Windows } from '@vendo/events';
import { z } from 'zod';

const Amount = MicrosWire.min(0);
const Instant = z.iso.datetime({ precision: 3 });

/** Ids are compared as text in memory and as uuids in the tables: in memory they are lower case. */
const Id = z.uuid().toLowerCase();

/** Who sends: the spool that its holds live with. Every reserve counts as a beat of that spool. */
export const SpoolRef = z.strictObject({ id: Id, host: z.string().min(1).max(255) });
export type SpoolRef = z.infer<typeof SpoolRef>;

/** Asks for a hold. The caller makes the id (UUIDv7) and repeats the same bytes on a retry. */
export const ReserveCommand = z.strictObject({
  hold_id: Id,
  tenant_id: Id,
  /** The cap subject: the app, or for a connection key the key itself. Caps are the ledger's own state. */
  subject: Id,
  amount_micros: Amount,
  /** The newest version of rates and margins that the caller has polled; stored and returned. */
  rate_version: z.int().min(0),
});
export type ReserveCommand = z.infer<typeof ReserveCommand>;

export const ReserveBatch = z.strictObject({
  spool: SpoolRef,
  commands: z.array(ReserveCommand).min(1).max(1000),
});
export type ReserveBatch = z.infer<typeof ReserveBatch>;

export const REFUSALS = [
  'spend_cap_daily',
  'spend_cap_monthly',
  'balance_exhausted',
  'hold_conflict',
  'hold_ended',
] as const;

/** One per command, in order. `failed`: this command alone could not be decided (a data error). */
export const ReserveAnswer = z.discriminatedUnion('status', [
  z.object({ status: z.literal('open'), hold_id: z.uuid(), reserved_at: Instant, rate_version: z.int() }),
  z.object({
    status: z.literal('refused'),
    hold_id: z.uuid(),
    code: z.enum(REFUSALS),
    /** Seconds to the end of the UTC window, by the ledger's clock; only with the spend caps. */
    retry_after: z.int().optional(),
  }),
  z.object({ status: z.literal('failed'), hold_id: z.uuid() }),
  /** Another ledger owns the tenant's shard (the 421 of one command of a batch); `owner` is null while nobody does. */
  z.object({ status: z.literal('moved'), hold_id: z.uuid(), owner: z.string().nullable() }),
]);
export type ReserveAnswer = z.infer<typeof ReserveAnswer>;
/** What became of a reserve in the end: the client follows moves itself. */
export type ReserveDecision = Exclude<ReserveAnswer, { status: 'moved' }>;
export const ReserveAnswers = z.object({ answers: z.array(ReserveAnswer) });

/** "This spool's writer lives." `ask` names further spools whose marks are wanted (those shipped on for dead writers). */
export const Beat = z.strictObject({ spool: SpoolRef, ask: z.array(Id).max(1000) });
export type Beat = z.infer<typeof Beat>;

const shardKey = z.string().regex(/^\d+$/);

/** The advertised origin of each shard's owner; a shard that nobody owns is absent. */
export const Owners = z.record(shardKey, z.string());
export type Owners = z.infer<typeof Owners>;

/**
 * A ledger answers for the shards that it owns, and `consumed` has exactly those: per partition the next offset of
 * gateway.events. Marks: per spool and partition the last number applied; absent is none where `consumed` has the
 * partition, and unknown where it has not.
 */
export const BeatAnswer = z.object({
  marks: z.record(z.uuid(), z.record(shardKey, z.int())),
  consumed: z.record(shardKey, z.int()),
  owners: Owners,
  /** Another process has adopted this spool: what its writer reports from now on goes into a new one. */
  adopted: z.boolean(),
});
export type BeatAnswer = z.infer<typeof BeatAnswer>;

/**
 * "I ship on what this spool's dead writer left." A compare-and-set on the spool's owner (null: its writer). `silence`: it
 * may be taken only when neither its writer nor the expected owner has beaten for 60 s, and a spool that no ledger has
 * heard of is watched from the first question on; `process_gone`: the asker has seen on the same machine that the process
 * which is expected to own it is no more.
 */
export const AdoptSpool = z
  .strictObject({
    spool: SpoolRef,
    adopter: SpoolRef,
    expected_owner: Id.nullable(),
    proof: z.enum(['process_gone', 'silence']),
  })
  .refine(({ spool, adopter }) => spool.id !== adopter.id, {
    path: ['adopter'],
    message: 'must be another spool',
  });
export type AdoptSpool = z.infer<typeof AdoptSpool>;

/** `owner` is the spool's owner after the question: the adopter, or whoever stood in the way. */
export const AdoptAnswer = z.object({ adopted: z.boolean(), owner: z.uuid().nullable() });
export type AdoptAnswer = z.infer<typeof AdoptAnswer>;

/** A spool that never returns: its expired holds are given up, with the operator's reason. */
export const WriteOff = z.strictObject({ spool_id: Id, note: z.string().min(1).max(500) });
export type WriteOff = z.infer<typeof WriteOff>;

/** Asks for jobs whose end nobody has reported yet and that are due; each is the asker's alone for a while. */
export const LeaseJobs = z.strictObject({ limit: z.int().min(1).max(100) });
export const Job = EVENTS['JobStarted.v1'];
export type Job = z.infer<typeof Job>;
export const LeasedJobs = z.object({ jobs: z.array(Job) });

export const GrantCredit = z.strictObject({
  tenant_id: Id,
  /** Signed: a correction may be negative. Never zero. */
  amount_micros: MicrosWire.refine((amount) => amount !== 0, 'must not be zero'),
  source: z.string().min(1).max(60),
  note: z.string().max(500).nullable(),
  idempotency_key: z.string().min(1).max(255),
});
export type GrantCredit = z.infer<typeof GrantCredit>;

export const CreditEntry = z.object({
  id: z.uuid(),
  amount_micros: MicrosWire,
  balance_micros: MicrosWire,
  seq: z.int(),
});
export type CreditEntry = z.infer<typeof CreditEntry>;

/** An absent field leaves that cap as it is, null clears it. */
export const SetCaps = z.strictObject({
  tenant_id: Id,
  subject: Id,
  daily_micros: Amount.nullable().optional(),
  monthly_micros: Amount.nullable().optional(),
});
export type SetCaps = z.infer<typeof SetCaps>;

export const Caps = z.object({ daily_micros: Amount.nullable(), monthly_micros: Amount.nullable() });
export type Caps = z.infer<typeof Caps>;

export const OpenHold = z.object({
  hold_id: z.uuid(),
  subject: z.uuid(),
  amount_micros: Amount,
  windows: Windows,
  spool_id: z.uuid(),
  rate_version: z.int(),
  reserved_at: Instant,
});
export type OpenHold = z.infer<typeof OpenHold>;

/** A job whose hold has expired, and whose report has not come: what the provider bills for it nobody has paid. */
export const OverdueJob = z.object({
  hold_id: z.uuid(),
  tenant_id: z.uuid(),
  provider: z.string(),
  model: z.string(),
  /** The provider's own id of it. */
  upstream_id: z.string(),
  hold_micros: Amount,
  started_at: Instant,
  expired_at: Instant,
  /** Since when nobody asks for its report any more. */
  abandoned_at: Instant.nullable(),
});
export type OverdueJob = z.infer<typeof OverdueJob>;

/** A spool as the ledger knows it, with what expired under it without a report. */
export const SpoolState = z.object({
  id: z.uuid(),
  host: z.string(),
  /** The spool whose process ships it on; null: its own writer. */
  owner: z.uuid().nullable(),
  beat_at: Instant,
  open_holds: z.int(),
  expired_holds: z.int(),
  expired_micros: Amount,
  /** Set once an operator has given up what expired under it. */
  written_off_at: Instant.nullable(),
  written_off_note: z.string().nullable(),
});
export type SpoolState = z.infer<typeof SpoolState>;

export const ParkedRecord = z.object({
  /** `ledger-12`: projections park records too. */
  id: z.string(),
  topic: z.string(),
  partition: z.int(),
  offset: z.string(),
  tenant_id: z.string().nullable(),
  hold_id: z.string().nullable(),
  reason: z.string(),
  parked_at: Instant,
});
export type ParkedRecord = z.infer<typeof ParkedRecord>;
