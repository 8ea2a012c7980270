import { Meter, MicrosWire, UsageLine, UsageMeasuredV1 } from '@vendo/events';
import { CreditEntry, OpenHold, OverdueJob, ParkedRecord, SpoolState } from '@vendo/ledger-api';
import { z } from 'zod';
import { ConnectionStatus, EstimateEvidence } from './requests.js';

// What the operator API answers. Micros are integers, other decimals are strings, instants are ISO 8601 in UTC.

const Instant = z.iso.datetime({ precision: 3 });
const CapMicros = MicrosWire.min(0).nullable();

export const TenantView = z.strictObject({ id: z.uuid(), name: z.string(), is_test: z.boolean() });
export type TenantView = z.infer<typeof TenantView>;

export const AppView = z.strictObject({
  id: z.uuid(),
  display_name: z.string(),
  spend_cap_micros_daily: CapMicros,
  spend_cap_micros_monthly: CapMicros,
});
export type AppView = z.infer<typeof AppView>;

/** A new key, its plain text in it for the only time. */
export const NewKeyView = z.strictObject({ id: z.uuid(), prefix: z.string(), plaintext: z.string() });
export type NewKeyView = z.infer<typeof NewKeyView>;

export const ConnectionView = z.strictObject({
  id: z.uuid(),
  provider: z.string(),
  profile: z.string(),
  status: ConnectionStatus,
});
export type ConnectionView = z.infer<typeof ConnectionView>;

export const BindingView = z.strictObject({
  id: z.uuid(),
  app_id: z.uuid(),
  provider_slug: z.string(),
  connection_id: z.uuid(),
});
export type BindingView = z.infer<typeof BindingView>;

export const MarginView = z.strictObject({
  tenant_id: z.uuid().nullable(),
  integration: z.string().nullable(),
  meter: Meter.nullable(),
  /** A decimal string. */
  margin_pct: z.string(),
  effective_from: Instant,
});
export type MarginView = z.infer<typeof MarginView>;

export const RateMissView = z.strictObject({
  hour: Instant,
  tenant_id: z.uuid(),
  provider: z.string(),
  model: z.string(),
  /** Null when the whole model has no price. */
  meter: z.string().nullable(),
  count: z.int(),
});
export type RateMissView = z.infer<typeof RateMissView>;

const ParkedView = ParkedRecord.extend({
  /** `ledger`, or `projection` and its name. */
  by: z.string(),
});

export const TenantAnswer = z.strictObject({ tenant: TenantView });
export const CreditAnswer = z.strictObject({ entry: CreditEntry });
export const HoldsAnswer = z.strictObject({ holds: z.array(OpenHold) });
export const NewAppAnswer = z.strictObject({ app: z.strictObject({ id: z.uuid() }), key: NewKeyView });
export const AppAnswer = z.strictObject({ app: AppView });
export const KeyAnswer = z.strictObject({ key: NewKeyView });
export const BindingAnswer = z.strictObject({ binding: BindingView });
export const ConnectionAnswer = z.strictObject({ connection: ConnectionView });
export const RevokedAnswer = z.strictObject({ revoked_at: Instant });
export const MarginAnswer = z.strictObject({ margin: MarginView });
export const RatesAnswer = z.strictObject({ imported: z.int() });
export const RateMissesAnswer = z.strictObject({ rate_misses: z.array(RateMissView) });
export const SpoolsAnswer = z.strictObject({ spools: z.array(SpoolState) });
export const OverdueJobsAnswer = z.strictObject({ overdue_jobs: z.array(OverdueJob) });
export const ParkedAnswer = z.strictObject({ parked: z.array(ParkedView) });
export const UsageEventsAnswer = z.strictObject({
  /** `corrected_micros`: what later corrections have changed the cost by. */
  usage_events: z.array(UsageMeasuredV1.extend({ corrected_micros: MicrosWire })),
  /** The cursor of the next page; null at the end. */
  next: z.string().nullable(),
});

/** A usage event that was counted or estimated. */
const EstimateView = z.strictObject({
  hold_id: z.uuid(),
  tenant_id: z.uuid(),
  provider: z.string(),
  model: z.string().nullable(),
  lines: z.array(UsageLine),
  cost_micros: MicrosWire.min(0),
  evidence: EstimateEvidence,
  /** When its hold was reserved: what decides the usage day. */
  at: Instant,
});

export const EstimatesAnswer = z.strictObject({
  estimates: z.array(EstimateView),
  /** Of all that the filter finds, whatever page this is. */
  totals: z.array(
    z.strictObject({
      provider: z.string(),
      evidence: EstimateEvidence,
      count: z.int().min(1),
      cost_micros: MicrosWire.min(0),
    }),
  ),
  /** The cursor of the next page; null at the end. */
  next: z.string().nullable(),
});
