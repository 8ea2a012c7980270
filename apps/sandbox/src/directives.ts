/** What a model name can ask of any provider's answer; `N` stands for a number. */
export const DIRECTIVES = {
  chunksN: 'the answer has N content chunks (words)',
  bytesN: 'the answer has N bytes of text, in as many chunks as `chunksN` says (default 1 per 1,000 bytes)',
  paceN: 'N ms between two events; before a JSON answer',
  cachedN: 'N more prompt tokens, reported as read from the cache',
  cachewriteN: 'N more prompt tokens, reported as written to the cache',
  gzip: 'the answer is compressed, where the request accepts gzip',
  nousage: 'the answer reports no usage',
  statusN: 'answers with HTTP status N in the error shape of the provider',
  erroreventN: 'an error inside the stream after N events, then the stream ends',
  dieN: 'closes the socket after N events; in the middle of a JSON answer',
  diebeforeheaders: 'closes the socket before any answer',
  stallN: 'goes silent after N events and keeps the connection',
  held: 'of a paced stream, the second half waits for a `POST /release`, which lets go on what is open then',
  hang: 'never answers',
} as const;

/** What only some providers, or some of their routes, can do. */
export const PARTICULAR_DIRECTIVES = {
  reasoningN: 'N tokens of thinking before the answer (chats)',
  refusal: 'the model refuses, after as many chunks as `chunksN` says, else at once (chats)',
  toolusesN: "each of the provider's own tools that the request offers is used N times (default 1)",
  compactionN: 'a compaction of N input tokens, told in `usage.iterations` only (Anthropic)',
  advisorN: 'an advisor of another model that read N tokens, told in `usage.iterations` only (Anthropic)',
  costN: 'the call costs N micro-USD (OpenRouter, MuAPI)',
  byok: 'the call costs nothing, though it cost something upstream (OpenRouter)',
  secondsN: 'what was heard lasted N seconds (default: a second per 16,000 bytes)',
  pollsN: 'a job is done with the Nth poll (default 2; AssemblyAI, MuAPI)',
  failed: 'the job or tool fails, though HTTP says 200 (AssemblyAI, MuAPI, Composio)',
  refunded: 'it fails and its cost is said to be refunded (MuAPI)',
} as const;

const FLAGS = [
  'gzip',
  'nousage',
  'diebeforeheaders',
  'hang',
  'held',
  'refusal',
  'byok',
  'failed',
  'refunded',
] as const;
const NUMBERS = [
  'chunks',
  'bytes',
  'pace',
  'cached',
  'cachewrite',
  'status',
  'errorevent',
  'die',
  'stall',
  'reasoning',
  'tooluses',
  'compaction',
  'advisor',
  'cost',
  'seconds',
  'polls',
] as const;
type Flag = (typeof FLAGS)[number];
type Count = (typeof NUMBERS)[number];

/** How one call is answered; a number that is not asked for is null. */
export type Behaviour = Record<Flag, boolean> & Record<Count, number | null>;

/** How any model answers whose name asks for nothing. */
export const NORMAL: Behaviour = {
  ...(Object.fromEntries(FLAGS.map((name) => [name, false])) as Record<Flag, boolean>),
  ...(Object.fromEntries(NUMBERS.map((name) => [name, null])) as Record<Count, null>),
};

const PREFIX = 'sandbox-';
const NUMBER_MAX = 10_000_000;

/**
 * Reads `sandbox-<directive>[-<directive>..]`, e.g. `sandbox-chunks100-pace5`. Any other model behaves normally.
 * Null when a part is no directive: a typo must not pass as normal behaviour.
 */
export function behaviourOf(model: string): Behaviour | null {
  if (!model.startsWith(PREFIX)) return NORMAL;
  const behaviour: Behaviour = { ...NORMAL };
  for (const part of model.slice(PREFIX.length).split('-')) if (!apply(behaviour, part)) return null;
  return behaviour;
}

function apply(behaviour: Behaviour, part: string): boolean {
  const [, name = '', digits = ''] = /^([a-z]+)(\d*)$/.exec(part) ?? [];
  const flag = FLAGS.find((known) => known === name);
  if (flag) {
    behaviour[flag] = true;
    return digits === '';
  }
  const number = NUMBERS.find((known) => known === name);
  if (!number || digits === '') return false;
  behaviour[number] = Number(digits);
  return Number(digits) <= NUMBER_MAX && isStatusSound(behaviour.status);
}

function isStatusSound(status: number | null): boolean {
  return status === null || (status >= 400 && status <= 599);
}
