import { countOf, type Foreign, listOf, nameOf, objectOf } from '../foreign-json.js';
import type { Counts } from '../quantities.js';

/** Disjoint token counts of one model. */
export interface TokenCounts {
  input: number;
  cacheRead: number;
  write5m: number;
  write1h: number;
  output: number;
}

export interface Spent {
  /** Of the call's own model. */
  own: TokenCounts;
  /** Of models that worked for it: advisors, fallbacks. */
  others: ReadonlyMap<string, TokenCounts>;
  /** Prompt tokens of the largest single inference, which alone decides about long-context prices .. */
  contextTokens: number;
  /** .. or, where iterations are not told, of all of them. */
  isSum: boolean;
}

const ZERO: TokenCounts = { input: 0, cacheRead: 0, write5m: 0, write1h: 0, output: 0 };

/**
 * What the usage object bills: the sum of its iterations where it has them (the top level leaves out compaction and
 * advisors), else its top level. Never less than the top level says. Null: no count is reported.
 */
export function spentOf(usage: Foreign, ownModel: string | null): Spent | null {
  const top = countsOf(usage);
  const others = new Map<string, TokenCounts>();
  let own: TokenCounts | null = null;
  let contextTokens = 0;
  for (const iteration of listOf(usage.iterations).map(objectOf)) {
    const counts = countsOf(iteration);
    if (!counts) continue;
    contextTokens = Math.max(contextTokens, promptOf(counts));
    const model = nameOf(iteration.model);
    if (model === null || model === ownModel) own = combine(own ?? ZERO, counts, add);
    else others.set(model, combine(others.get(model) ?? ZERO, counts, add));
  }
  if (!top && !own && others.size === 0) return null;
  const whole = top ?? ZERO;
  return {
    own: combine(own ?? ZERO, whole, Math.max),
    others,
    contextTokens: contextTokens || promptOf(whole),
    isSum: contextTokens === 0,
  };
}

/** Whether what is told of iterations is made of counts: else the top level may be less than all of it. */
export function hasSoundIterations({ iterations }: Foreign): boolean {
  if (iterations === undefined) return true;
  return Array.isArray(iterations) && iterations.map(objectOf).every(isSound);
}

function isSound(iteration: Foreign): boolean {
  return COUNTS.every((name) => (iteration[name] ?? null) === null || countOf(iteration[name]) !== null);
}

const COUNTS = [
  'input_tokens',
  'output_tokens',
  'cache_read_input_tokens',
  'cache_creation_input_tokens',
] as const;

function countsOf(usage: Foreign): TokenCounts | null {
  const input = countOf(usage.input_tokens);
  const output = countOf(usage.output_tokens);
  const cacheRead = countOf(usage.cache_read_input_tokens);
  const written = writesOf(usage);
  if (input === null && output === null && cacheRead === null && written === null) return null;
  const { write5m, write1h } = written ?? ZERO;
  return { input: input ?? 0, cacheRead: cacheRead ?? 0, write5m, write1h, output: output ?? 0 };
}

/**
 * Cache writes by lifetime; what the split does not call one-hour is five minutes, also where an old model sends no split.
 * A stream tells its split at the beginning only: where all was of an hour then, so is what was written since.
 */
function writesOf(usage: Foreign): Pick<TokenCounts, 'write5m' | 'write1h'> | null {
  const split = objectOf(usage.cache_creation);
  const fiveMinutes = countOf(split.ephemeral_5m_input_tokens);
  const oneHour = countOf(split.ephemeral_1h_input_tokens);
  const total = countOf(usage.cache_creation_input_tokens);
  if (total === null && fiveMinutes === null && oneHour === null) return null;
  if (total === null) return { write5m: fiveMinutes ?? 0, write1h: oneHour ?? 0 };
  const isAllOneHour = fiveMinutes === 0 && (oneHour ?? 0) > 0;
  const write1h = isAllOneHour ? total : Math.min(oneHour ?? 0, total);
  return { write5m: total - write1h, write1h };
}

function promptOf({ input, cacheRead, write5m, write1h }: TokenCounts): number {
  return input + cacheRead + write5m + write1h;
}

function combine(a: TokenCounts, b: TokenCounts, how: (x: number, y: number) => number): TokenCounts {
  return {
    input: how(a.input, b.input),
    cacheRead: how(a.cacheRead, b.cacheRead),
    write5m: how(a.write5m, b.write5m),
    write1h: how(a.write1h, b.write1h),
    output: how(a.output, b.output),
  };
}

/** Two counts together; beyond 2^53-1 no sum is exact, and no such answer exists. */
function add(x: number, y: number): number {
  return Math.min(x + y, Number.MAX_SAFE_INTEGER);
}

export function metersOf(counts: TokenCounts): Counts {
  return {
    input_tokens: counts.input,
    cache_read_tokens: counts.cacheRead,
    cache_write_tokens: counts.write5m,
    cache_write_1h_tokens: counts.write1h,
    output_tokens: counts.output,
  };
}
