/** What AssemblyAI takes where the request names no model. */
export const DEFAULT_MODEL = 'best';

/** Models are priced under their own names only: `universal-2` is no `universal`. */
export function rateKeys(model: string): readonly string[] {
  return [model];
}

/** What is billed beside the model, by the same seconds, is priced under a name that no model can have. */
export function addOnName(feature: string): string {
  return `addon/${feature}`;
}

/** As of `MeteredRequest.tier`. */
export const STANDARD = 'standard';

/** The features of a job as one word, so that the reader of its report knows what was asked for. */
export function tierOf(features: readonly string[]): string {
  return features.join('+') || STANDARD;
}

/** The other way round. */
export function featuresOf(tier: string): readonly string[] {
  return tier === STANDARD ? [] : tier.split('+');
}
