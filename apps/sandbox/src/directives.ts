/** What a model name can ask of the sandbox; `N` stands for a number. */
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
  hang: 'never answers',
} as const;

/** How one call is answered; a number that is not asked for is null. */
export interface Behaviour {
  chunks: number | null;
  bytes: number | null;
  pace: number | null;
  cached: number | null;
  cachewrite: number | null;
  status: number | null;
  errorevent: number | null;
  die: number | null;
  stall: number | null;
  gzip: boolean;
  nousage: boolean;
  diebeforeheaders: boolean;
  hang: boolean;
}

/** How any model answers whose name asks for nothing. */
export const NORMAL: Behaviour = {
  chunks: null,
  bytes: null,
  pace: null,
  cached: null,
  cachewrite: null,
  status: null,
  errorevent: null,
  die: null,
  stall: null,
  gzip: false,
  nousage: false,
  diebeforeheaders: false,
  hang: false,
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
  switch (name) {
    case 'gzip':
    case 'nousage':
    case 'diebeforeheaders':
    case 'hang':
      behaviour[name] = true;
      return digits === '';
    case 'chunks':
    case 'bytes':
    case 'pace':
    case 'cached':
    case 'cachewrite':
    case 'status':
    case 'errorevent':
    case 'die':
    case 'stall':
      behaviour[name] = Number(digits);
      return digits !== '' && Number(digits) <= NUMBER_MAX && isStatusSound(behaviour.status);
    default:
      return false;
  }
}

function isStatusSound(status: number | null): boolean {
  return status === null || (status >= 400 && status <= 599);
}
