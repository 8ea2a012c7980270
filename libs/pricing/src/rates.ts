import type { Meter } from '@vendo/events';
import type { Rational } from '@vendo/money';

/**
 * One price, in force from `effectiveFrom` for calls whose rate version is `version` or newer.
 * The same (provider, model, meter, tier, contextFrom) may stand many times: the row in force at an instant is the one
 * with the latest `effectiveFrom` that is not after it, ties by the higher version. Rows are only ever added.
 */
export interface Rate {
  provider: string;
  /** The rate key: a model name as the provider's folder normalises it. */
  model: string;
  meter: Meter;
  /** Service tier as the provider's folder names it: `standard`, `priority`, `flex`, `fast`, .. */
  tier: string;
  /** The row applies to calls whose whole prompt has at least this many tokens; 0 for the base price. One inclusive bound says both `>` and `>=`. */
  contextFrom: number;
  /** USD for `per` units, margin not included. */
  unitCostUsd: Rational;
  /** Units that `unitCostUsd` buys, e.g. 1,000,000 tokens. */
  per: Rational;
  /** A zero price counts only when it is declared free; else the model has no price. */
  free: boolean;
  /** Milliseconds since the epoch, UTC. */
  effectiveFrom: number;
  version: number;
}

/** One margin rule. Null matches anything. First match: tenant+meter, tenant+integration, tenant, meter, integration, global. */
export interface Margin {
  tenantId: string | null;
  integration: string | null;
  meter: Meter | null;
  /** Per cent, e.g. 20. */
  marginPct: Rational;
  effectiveFrom: number;
  version: number;
}

/** What was measured of one meter. `quantity` in the meter's own unit, exact, never negative. */
export interface Quantity {
  meter: Meter;
  quantity: Rational;
  /** Rate keys to try in order, newest name first; absent: the call's own. */
  rateKeys?: readonly string[];
  /** Only a price under its own rate keys counts: that for every model of the provider is of a cheaper kind. */
  ownPrice?: boolean;
  /** Model name for the line, where it is not the event's. */
  model?: string;
  /** Its cost is in another line, as of tokens beside the cost that the provider names: it is told and costs nothing. */
  included?: boolean;
}

/** A tier in which a call is priced. */
export interface PricedTier {
  tier: string;
  /** Whose price counts for a meter that has none in `tier`, which then is a place where only some prices differ. Absent: none. */
  plainTier?: string;
}

/** The circumstances that decide a price. */
export interface PriceContext extends PricedTier {
  tenantId: string;
  provider: string;
  /** Rate keys of the model in the order to try: exact name, then dated snapshot, alias and prefix forms. */
  rateKeys: readonly string[];
  /** What a meter without any price in the tier is charged in, in the order to try: less wrong than nothing, and a rate miss. */
  standIns?: readonly PricedTier[];
  /** Tokens of the whole prompt (plain, cached and written), for the long-context rows. */
  contextTokens: number;
  /** The ledger's `reserved_at`, milliseconds since the epoch. */
  at: number;
  /** The rate version that the reserve named. */
  version: number;
}
