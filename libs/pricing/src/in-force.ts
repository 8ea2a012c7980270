/** Which rows a price is read from: those of `version` or older, in force at `at` (milliseconds since the epoch). */
export interface PricingInstant {
  version: number;
  at: number;
}

interface Dated {
  effectiveFrom: number;
  version: number;
}

export function inForce(row: Dated, { version, at }: PricingInstant): boolean {
  return row.version <= version && row.effectiveFrom <= at;
}

/** Sorts so that the first row in force is the one that counts: latest `effectiveFrom`, ties by the higher version. */
export function newestFirst(a: Dated, b: Dated): number {
  return b.effectiveFrom - a.effectiveFrom || b.version - a.version;
}
