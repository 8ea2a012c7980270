import { VendoError } from '@vendo/errors';
import { Evidence, Meter } from '@vendo/events';
import { type Micros, microsFromUsd, microsFromWire, Rational } from '@vendo/money';
import { z } from 'zod';
import { PROVIDERS } from '../providers/registry.js';

export { read } from '../openapi/read.js';

/** Ten million dollars: far from where sums leave the exact integers of JSON. */
const CREDIT_MAX_MICROS = 10_000_000_000_000;

const SPEND_CAP_MAX: Micros = 1_000_000_000_000n;

/** What neither Postgres text nor JSON can hold is refused here: a NUL, half of a surrogate pair. */
const Text = z
  .string()
  .refine((text) => text.isWellFormed() && !text.includes('\0'), 'must be text without NUL')
  .meta({ description: 'Text without NUL.' });

const DisplayName = Text.trim().min(1).max(80);

/** USD as a number or numeric string from 0 to 1,000,000, to the micro; null clears the cap. Read as micros. */
const SpendCap = z.union([z.null(), z.number(), z.string()]).transform((usd, context) => {
  if (usd === null) return null;
  const micros = microsOf(String(usd));
  if (micros !== null && micros >= 0n && micros <= SPEND_CAP_MAX) return micros;
  context.addIssue({ code: 'custom', message: 'must be USD from 0 to 1000000, to the micro, or null' });
  return z.NEVER;
});

export const SpendCaps = { spend_cap_daily: SpendCap.optional(), spend_cap_monthly: SpendCap.optional() };

/** An exact decimal in text, e.g. `2.5` or `2.5e-06`. */
const Decimal = z.string().transform((text, context) => {
  try {
    return Rational.parse(text);
  } catch {
    context.addIssue({ code: 'custom', message: 'must be a decimal string' });
    return z.NEVER;
  }
});

const EffectiveFrom = z.iso.datetime({ offset: true }).transform((text) => new Date(text));

export const NewTenant = z.strictObject({
  name: Text.trim().min(1).max(200),
  is_test: z.boolean().default(false),
});

export const NewCredit = z.strictObject({
  amount_micros: z
    .int()
    .min(-CREDIT_MAX_MICROS)
    .max(CREDIT_MAX_MICROS)
    .refine((amount) => amount !== 0, 'must not be zero')
    .transform(microsFromWire),
  source: Text.trim().min(1).max(60),
  note: Text.max(500).nullable().default(null),
});

export const NewWriteOff = z.strictObject({ note: Text.trim().min(1).max(500) });

export const IdempotencyKey = z.string('the header Idempotency-Key is required').trim().min(1).max(255);

export const NewApp = z.strictObject({ display_name: DisplayName, ...SpendCaps });

export const AppChange = z
  .strictObject({ display_name: DisplayName.optional(), ...SpendCaps })
  .refine((change) => Object.keys(change).length > 0, 'must name a field to change');

export const NewAppKey = z.strictObject({ display_name: DisplayName.optional() });

export const NewConnectionKey = z.strictObject({ display_name: DisplayName.optional(), ...SpendCaps });

export const ConnectionStatus = z.enum(['active', 'needs_reauth', 'error', 'revoked']);

/** Connections to a part of the operator's account, by their profile. */
const PARTS = PROVIDERS.flatMap(({ slug, managedPart }) => (managedPart ? [{ slug, ...managedPart }] : []));
const PART_PROFILES = PARTS.map(({ profile }) => profile);

/** What kind of credential a connection stores, by its profile. */
const CREDENTIALS: Readonly<Record<string, string>> = {
  vendo_managed_pool: 'undefined',
  byok_static: 'string',
  ...Object.fromEntries(PART_PROFILES.map((profile) => [profile, 'object'])),
};

export const NewConnection = z
  .strictObject({
    provider: z.string(),
    profile: z.enum(['vendo_managed_pool', 'byok_static', ...PART_PROFILES]),
    credential: z
      .union([
        /** It travels in a header, so nothing may be in it that could end one. */
        z.string().regex(/^[\x21-\x7e]{1,4096}$/, 'must be printable ASCII without spaces'),
        ...PARTS.map(({ stored }) => stored),
      ])
      .optional(),
    display_name: DisplayName.optional(),
  })
  .refine(({ profile, credential }) => typeof credential === CREDENTIALS[profile], {
    path: ['credential'],
    message: `is a text with the profile byok_static, an object with ${PART_PROFILES.join(', ')}, and refused with vendo_managed_pool`,
  })
  .superRefine(({ profile, provider }, context) => {
    const part = PARTS.find((one) => one.profile === profile);
    if (part && part.slug !== provider)
      context.addIssue({
        code: 'custom',
        path: ['profile'],
        message: `${profile} is a profile of ${part.slug}`,
      });
  });

export const ConnectionChange = z.strictObject({ status: ConnectionStatus });

export const NewBinding = z.strictObject({
  provider_slug: z.string(),
  connection_id: z.uuid().toLowerCase().optional(),
});

const MARGIN_PCT_MAX = Rational.of(1_000n);

export const NewMargin = z
  .strictObject({
    tenant_id: z.uuid().toLowerCase().nullable().default(null),
    integration: z.string().nullable().default(null),
    meter: Meter.nullable().default(null),
    margin_pct: Decimal.refine(
      (percent) => !percent.isNegative() && percent.compare(MARGIN_PCT_MAX) <= 0,
      'must be a decimal string from 0 to 1000',
    ),
    effective_from: EffectiveFrom.optional(),
  })
  .refine(({ integration, meter }) => integration === null || meter === null, {
    path: ['meter'],
    message: 'cannot be combined with integration: no rule of the cascade has both',
  });

const NewRate = z
  .strictObject({
    provider: z.string(),
    model: Text.min(1).max(200),
    meter: Meter,
    tier: z.string().min(1).max(40).default('standard'),
    /** Applies to calls whose whole prompt has at least this many tokens. */
    context_from: z.int().min(0).default(0),
    unit_cost_usd: Decimal.refine((cost) => !cost.isNegative(), 'must not be negative'),
    per: z
      .union([z.int(), z.string().regex(/^\d{1,15}$/, 'must be a whole number')])
      .transform((per) => Rational.of(BigInt(per)))
      .refine((per) => per.compare(Rational.ZERO) > 0, 'must be positive'),
    free: z.boolean().default(false),
    effective_from: EffectiveFrom.optional(),
  })
  .refine(({ unit_cost_usd, free }) => unit_cost_usd.isZero() === free, {
    path: ['free'],
    message: 'must be true exactly when unit_cost_usd is zero',
  });

export const NewRates = z.strictObject({ rates: z.array(NewRate).min(1).max(5_000) });

export const EventsQuery = z.strictObject({
  tenant_id: z.uuid().toLowerCase().optional(),
  after: z.string().max(200).optional(),
  limit: z.coerce.number().int().min(1).max(200).default(50),
});

const Slug = z.string().regex(/^[a-z0-9-]{1,60}$/, 'must be a slug');

/** Evidence of what no final report gave. */
export const EstimateEvidence = Evidence.extract(['counted', 'estimated']);

/** `YYYY-MM-DD`; a calendar without a year 0, as the database's is. */
const UtcDay = z.iso.date().refine((day) => day >= '0001-01-01', 'must be a day from 0001-01-01 on');

export const EstimatesQuery = EventsQuery.extend({
  evidence: EstimateEvidence.optional(),
  provider: Slug.optional(),
  /** The first and the last UTC day, both included. */
  from: UtcDay.optional(),
  to: UtcDay.optional(),
}).refine(({ from, to }) => from === undefined || to === undefined || from <= to, {
  path: ['to'],
  message: 'must not be before from',
});

const Id = z.uuid().toLowerCase();

export const IdPath = z.strictObject({ id: Id });

/** A uuid of the path. Throws VendoError `not_found`: nothing has another kind of id. */
export function readId(given: string): string {
  const { success, data } = Id.safeParse(given);
  if (!success) throw new VendoError('not_found');
  return data;
}

export const BindingPath = z.strictObject({ id: Id, slug: Slug });

/** A provider's slug of the path. Throws VendoError `not_found`: nothing is bound under another kind of name. */
export function readSlug(given: string): string {
  if (!Slug.safeParse(given).success) throw new VendoError('not_found', 'There is no such binding.');
  return given;
}

function microsOf(usd: string): Micros | null {
  try {
    return microsFromUsd(usd);
  } catch {
    return null;
  }
}
