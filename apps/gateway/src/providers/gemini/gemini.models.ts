/** A stable version of a model, `gemini-2.0-flash-001`; of embeddings it is the name. */
const STABLE = /(?<!embedding)-00\d$/;
/** Google's own prefixes of a name. */
export const PREFIX = /^(?:models|google)\//;

/**
 * What the moving aliases stood for in November 2026. Only the hold is reckoned with it, and an answer that does not
 * name its model: all others name the model that is billed.
 */
const ALIASES: ReadonlyMap<string, string> = new Map([
  ['gemini-flash-latest', 'gemini-3.6-flash'],
  ['gemini-flash-lite-latest', 'gemini-3.5-flash-lite'],
  ['gemini-pro-latest', 'gemini-3.1-pro-preview'],
]);

/**
 * Names under which a model may be priced: as it is, without `models/`, without its stable version, what an alias
 * stands for. Previews with a date are models of their own: their prices differ.
 */
export function rateKeys(model: string): readonly string[] {
  const bare = model.replace(PREFIX, '');
  const alias = ALIASES.get(bare);
  return [...new Set([model, bare, bare.replace(STABLE, ''), ...(alias ? [alias] : [])])];
}

/** Up to 2.5 a grounded answer costs one search however many queries it took; from 3 on each query costs. */
export function paysPerQuery(model: string): boolean {
  return !/^(?:models\/)?gemini-(?:1|2)(?:\.|-)/.test(model);
}

/** A service tier as rates name it; null where none is said. */
export function billedTier(reported: string | null): string | null {
  const tier = reported?.toLowerCase().replace(/^service_tier_/, '') ?? '';
  return tier === '' || tier === 'unspecified' ? null : tier;
}

/** The tier that a request asks for, as rates name it. */
export function requestedTier(asked: unknown): string {
  return (typeof asked === 'string' ? billedTier(asked) : null) ?? 'standard';
}
