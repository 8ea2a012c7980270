import { z } from 'zod';

/** Micro-USD as a JSON integer; may be negative where a schema says so. */
export const MicrosWire = z.int();
const Cost = MicrosWire.min(0);

/** How a call ended. `not_forwarded`: nothing was sent to the provider. */
export const Outcome = z.enum([
  'completed',
  'client_aborted',
  'upstream_died',
  'upstream_error',
  'not_forwarded',
]);
export type Outcome = z.infer<typeof Outcome>;

/** How the quantities are known; docs/metering.md gives the rule of each. */
export const Evidence = z.enum(['exact', 'header', 'drained', 'counted', 'estimated']);
export type Evidence = z.infer<typeof Evidence>;

/** The unit names of metering. The token meters of one model in one event are disjoint. Order is the order of an event's lines. */
export const METERS = [
  'input_tokens',
  'cache_read_tokens',
  'cache_write_tokens',
  'cache_write_1h_tokens',
  'output_tokens',
  'reasoning_tokens',
  'audio_input_tokens',
  'audio_output_tokens',
  'image_input_tokens',
  'image_tokens',
  'characters',
  'credits',
  'audio_seconds',
  'images',
  'requests',
  'web_searches',
  'web_fetches',
  'file_searches',
  'code_sessions',
  'composio.action_call',
  'usd',
] as const;
export const Meter = z.enum(METERS);
export type Meter = z.infer<typeof Meter>;

/** One priced quantity. Decimals are strings; `cost_micros_exact` is the fraction `n/d` in micros, margin included. */
export const UsageLine = z.strictObject({
  meter: Meter,
  /** Only where it is not the event's model. */
  model: z.string().optional(),
  quantity: z.string(),
  unit_cost_usd: z.string(),
  per: z.string(),
  margin_pct: z.string(),
  cost_micros_exact: z.string(),
  cost_micros: Cost,
  unpriced: z.literal(true).optional(),
});
export type UsageLine = z.infer<typeof UsageLine>;

/** One per metered call that reached the provider; its id is the hold id. */
export const UsageMeasuredV1 = z.strictObject({
  id: z.uuid(),
  tenant_id: z.uuid(),
  app_id: z.uuid().nullable(),
  key_id: z.uuid(),
  connection_id: z.uuid(),
  provider: z.string(),
  route: z.string(),
  model: z.string().nullable(),
  upstream_request_id: z.string().nullable(),
  /** The upstream's HTTP status; null when it never answered. */
  status: z.int().nullable(),
  outcome: Outcome,
  evidence: Evidence,
  lines: z.array(UsageLine),
  /** Without margin, rounded once, half to even. */
  provider_cost_micros: Cost,
  cost_micros: Cost,
  rate_version: z.int(),
  hold_micros: Cost,
  /** The ledger's clock: decides rates, margins, windows and the usage day. */
  reserved_at: z.iso.datetime({ precision: 3 }),
  started_at: z.iso.datetime({ precision: 3 }),
  ended_at: z.iso.datetime({ precision: 3 }),
  ttfb_ms: z.number().nullable(),
  stream: z.boolean(),
});
export type UsageMeasuredV1 = z.infer<typeof UsageMeasuredV1>;

export const UsageMeasuredV2 = UsageMeasuredV1.extend({
  /** What the provider says it counted, in a unit of its own that prices nothing by itself (ElevenLabs: credits); a decimal. */
  provider_units: z.string().nullable(),
});
export type UsageMeasuredV2 = z.infer<typeof UsageMeasuredV2>;

/** A day: the longest that a job's hold may stay open. */
export const MAX_JOB_TTL_MS = 24 * 60 * 60 * 1_000;

/** What has certainly been used, should a job's own report never come; `after_ms` is how long to ask for that report. */
const CountedUsage = z.strictObject({
  after_ms: z.int().min(0),
  model: z.string().nullable(),
  tier: z.string().nullable(),
  context_tokens: z.int().min(0),
  quantities: z.array(z.strictObject({ meter: Meter, model: z.string().optional(), quantity: z.string() })),
});

/** Whose call it was and what decides its price: what a usage event needs beside the usage. */
const CallFacts = z.strictObject({
  hold_id: z.uuid(),
  tenant_id: z.uuid(),
  /** The cap subject (app, or connection key). */
  subject: z.uuid(),
  app_id: z.uuid().nullable(),
  key_id: z.uuid(),
  connection_id: z.uuid(),
  provider: z.string(),
  route: z.string(),
  /** As the request named it. */
  model: z.string(),
  rate_version: z.int(),
  hold_micros: Cost,
  reserved_at: z.iso.datetime({ precision: 3 }),
});

/** A line of a correction: what is added to the quantity and to the charge, so what is taken back is negative. */
export const CorrectedLine = UsageLine.extend({ cost_micros: MicrosWire });
export type CorrectedLine = z.infer<typeof CorrectedLine>;

/** What the gateway reports. */
export const GATEWAY_EVENTS = {
  /** The call is about to be forwarded under this hold. Without an end it tells finance what the provider may bill. */
  'HoldReserved.v1': z.strictObject({
    hold_id: z.uuid(),
    tenant_id: z.uuid(),
    app_id: z.uuid().nullable(),
    key_id: z.uuid(),
    connection_id: z.uuid(),
    provider: z.string(),
    route: z.string(),
    model: z.string().nullable(),
    amount_micros: Cost,
    rate_version: z.int(),
    reserved_at: z.iso.datetime({ precision: 3 }),
  }),
  'UsageMeasured.v1': UsageMeasuredV1,
  'UsageMeasured.v2': UsageMeasuredV2,
  /** The end of a hold as the gateway saw it; cost 0 is a release. `subject` is the cap subject (app, or connection key). */
  'HoldSettled.v1': z.strictObject({
    hold_id: z.uuid(),
    tenant_id: z.uuid(),
    subject: z.uuid(),
    cost_micros: Cost,
    outcome: Outcome,
  }),
  /**
   * A job was taken by the provider: its usage comes later, reported by whoever sees its end first. From here on the hold
   * does not live with its spool but for `ttl_ms` since `reserved_at`.
   */
  'JobStarted.v1': CallFacts.extend({
    upstream_id: z.string().min(1).max(256),
    /** The tier that the request asked for. */
    tier: z.string(),
    ttl_ms: z.int().min(1).max(MAX_JOB_TTL_MS),
    /** The status of the answer that named the job. */
    status: z.int(),
    outcome: Outcome,
    stream: z.boolean(),
    started_at: z.iso.datetime({ precision: 3 }),
    counted: CountedUsage.nullable(),
  }),
  /**
   * The provider has changed what a charged call costs, e.g. given it back. `n` numbers the corrections of a hold, from 1;
   * each counts once, in the hold's windows and hour, after the hold's charge.
   */
  'UsageCorrected.v1': CallFacts.extend({
    n: z.int().min(1),
    reason: z.enum(['refunded']),
    lines: z.array(CorrectedLine),
    /** Sums of the lines: negative gives back. */
    provider_cost_micros: MicrosWire,
    cost_micros: MicrosWire,
  }),
  /** Shipped in the place of a spool record that could not be read back. */
  'RecordLost.v1': z.strictObject({
    spool_id: z.uuid(),
    partition: z.int(),
    number: z.int(),
    reason: z.string(),
  }),
};

/** Versions that are stored and not written any more: the newest of each, and how their data becomes its. Pure. */
export const UPCASTERS = {
  'UsageMeasured.v1': {
    to: 'UsageMeasured.v2',
    upcast: (data: UsageMeasuredV1): UsageMeasuredV2 => ({ ...data, provider_units: null }),
  },
} as const;
