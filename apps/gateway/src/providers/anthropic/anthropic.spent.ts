import { countOf, type Foreign, isObject, listOf, nameOf, objectOf } from '../foreign-json.js';
import type { Counts } from '../quantities.js';
import { isSameModel } from './anthropic.models.js';

/** Disjoint token counts of one model. */
export interface TokenCounts {
  input: number;
  cacheRead: number;
  write5m: number;
  write1h: number;
  output: number;
}

export interface Spent {
  /** The call's own model: the one that served the answer. */
  model: string | null;
  /** Of that. */
  own: TokenCounts;
  /** Of models that worked for it: advisors, and those that declined after they had begun to answer. */
  others: ReadonlyMap<string, TokenCounts>;
  /** Prompt tokens of the largest single inference, which alone decides about long-context prices .. */
  contextTokens: number;
  /** .. or, where iterations are not told, of all of them. */
  isSum: boolean;
}

/** As they are told; `unsplit`: cache writes of which it is not told how long they last. */
interface Told extends TokenCounts {
  unsplit: number;
}

const ZERO: Told = { input: 0, cacheRead: 0, write5m: 0, write1h: 0, unsplit: 0, output: 0 };

/**
 * What the usage object bills: the sum of its iterations where it has them (the top level leaves out compaction,
 * advisors and models that declined), else its top level. Never less than the top level says, which is of the model that
 * served the answer. Null: no count is reported.
 * @param answered the model that the answer names.
 */
export function spentOf(usage: Foreign, answered: string | null): Spent | null {
  const top = toldIn(usage);
  if (listOf(usage.iterations).length === 0) return top && wholeOf(top, answered);
  const iterations = listOf(usage.iterations).map(objectOf);
  const servingAt = iterations.findLastIndex(isServing);
  const serving = iterations[servingAt];
  const server = nameOf(serving?.model);
  const ownModel = server === null || isSameModel(server, answered) ? answered : server;
  const others = new Map<string, Told>();
  let own: Told | null = null;
  let contextTokens = 0;
  for (const [at, iteration] of iterations.entries()) {
    const told = toldIn(iteration);
    if (!told) continue;
    const name = nameOf(iteration.model);
    const model = name === null || isSameModel(name, ownModel) ? null : name;
    // As of a refusal without output, nothing is billed of a model that declined without any, named or not.
    const isOther = model !== null || (name === null && at < servingAt);
    if (serving && isOther && iteration.type === 'message' && iteration.output_tokens === 0) continue;
    contextTokens = Math.max(contextTokens, promptOf(told));
    if (model === null) own = sumOf(own ?? ZERO, told);
    else others.set(model, sumOf(others.get(model) ?? ZERO, told));
  }
  if (!top && !own && others.size === 0) return null;
  const whole = top ?? ZERO;
  return {
    model: ownModel,
    own: atLeast(own ?? ZERO, whole),
    others: new Map([...others].map(([model, told]) => [model, atLeast(told, ZERO)])),
    contextTokens: contextTokens || promptOf(whole),
    isSum: contextTokens === 0,
  };
}

/** One inference and no other model. */
function wholeOf(top: Told, model: string | null): Spent {
  return { model, own: atLeast(top, ZERO), others: NO_OTHERS, contextTokens: promptOf(top), isSum: true };
}

const NO_OTHERS: ReadonlyMap<string, TokenCounts> = new Map();

/** Prompt tokens of what a usage object says at its top level. */
export function promptIn(usage: Foreign): number {
  const told = toldIn(usage);
  return told ? promptOf(told) : 0;
}

/** Whether the iterations tell that a fallback served the answer, and which: the usage is then of that model. */
export function isServedByFallback({ iterations }: Foreign): boolean {
  return listOf(iterations).map(objectOf).some(isServing);
}

/** The inference with which a fallback model ended the answer. */
function isServing({ type }: Foreign): boolean {
  return type === 'fallback_message';
}

/** Whether what is told of iterations is made of counts: else the top level may be less than all of it. */
export function hasSoundIterations({ iterations }: Foreign): boolean {
  if (iterations === undefined) return true;
  return (
    Array.isArray(iterations) && iterations.every((iteration) => isObject(iteration) && isSound(iteration))
  );
}

function isSound(iteration: Foreign): boolean {
  const { model = null, cache_creation = null } = iteration;
  return (
    (model === null || nameOf(model) !== null) &&
    COUNTS.every((name) => isCountOrNothing(iteration[name])) &&
    (cache_creation === null ||
      (isObject(cache_creation) && SPLIT.every((name) => isCountOrNothing(cache_creation[name]))))
  );
}

/** Null is not said. */
export function isCountOrNothing(value: unknown): boolean {
  return value === undefined || value === null || countOf(value) !== null;
}

const COUNTS = [
  'input_tokens',
  'output_tokens',
  'cache_read_input_tokens',
  'cache_creation_input_tokens',
] as const;
/** Members of `cache_creation`. */
export const SPLIT = ['ephemeral_5m_input_tokens', 'ephemeral_1h_input_tokens'] as const;

function toldIn(usage: Foreign): Told | null {
  const input = countOf(usage.input_tokens);
  const output = countOf(usage.output_tokens);
  const cacheRead = countOf(usage.cache_read_input_tokens);
  const written = writesIn(usage);
  if (input === null && output === null && cacheRead === null && written === null) return null;
  const { write5m, write1h, unsplit } = written ?? ZERO;
  return { input: input ?? 0, cacheRead: cacheRead ?? 0, write5m, write1h, unsplit, output: output ?? 0 };
}

/**
 * Cache writes by lifetime; of a split, what it does not call one-hour is five minutes. A stream tells its split at the
 * beginning only: where all was of an hour then, so is what was written since.
 */
function writesIn(usage: Foreign): Pick<Told, 'write5m' | 'write1h' | 'unsplit'> | null {
  const split = objectOf(usage.cache_creation);
  const fiveMinutes = countOf(split.ephemeral_5m_input_tokens);
  const oneHour = countOf(split.ephemeral_1h_input_tokens);
  const total = countOf(usage.cache_creation_input_tokens);
  if (fiveMinutes === null && oneHour === null)
    return total === null ? null : { write5m: 0, write1h: 0, unsplit: total };
  if (total === null) return { write5m: fiveMinutes ?? 0, write1h: oneHour ?? 0, unsplit: 0 };
  const isAllOneHour = fiveMinutes === 0 && (oneHour ?? 0) > 0;
  const write1h = isAllOneHour ? total : Math.min(oneHour ?? 0, total);
  return { write5m: total - write1h, write1h, unsplit: 0 };
}

function promptOf(told: Told): number {
  return told.input + told.cacheRead + writtenIn(told);
}

function writtenIn({ write5m, write1h, unsplit }: Told): number {
  return write5m + write1h + unsplit;
}

/** Two counts together; beyond 2^53-1 no sum is exact, and no such answer exists. */
function sumOf(a: Told, b: Told): Told {
  const add = (x: number, y: number): number => Math.min(x + y, Number.MAX_SAFE_INTEGER);
  return {
    input: add(a.input, b.input),
    cacheRead: add(a.cacheRead, b.cacheRead),
    write5m: add(a.write5m, b.write5m),
    write1h: add(a.write1h, b.write1h),
    unsplit: add(a.unsplit, b.unsplit),
    output: add(a.output, b.output),
  };
}

/**
 * What is told, and no less than another report of the same says. Of cache writes that is their number: how long they
 * last is told, and of the rest the other report says it; where neither does (old models), it is five minutes.
 */
function atLeast(told: Told, other: Told): TokenCounts {
  const written = Math.min(Math.max(writtenIn(told), writtenIn(other)), Number.MAX_SAFE_INTEGER);
  const rest = Math.max(written - told.write5m - told.write1h, 0);
  const write1h = Math.min(told.write1h + Math.min(rest, Math.max(other.write1h - told.write1h, 0)), written);
  return {
    input: Math.max(told.input, other.input),
    cacheRead: Math.max(told.cacheRead, other.cacheRead),
    write5m: written - write1h,
    write1h,
    output: Math.max(told.output, other.output),
  };
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
