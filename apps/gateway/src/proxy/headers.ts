import type { IncomingHttpHeaders } from 'node:http';
import { CORS_HEADERS } from '../edge/cors.js';
import { PROVIDERS } from '../providers/registry.js';
import { readableCodings } from './decoding.js';
import { carriesKey } from './presented-key.js';

/** They belong to one connection, not to the message. */
const HOP_BY_HOP = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'proxy-authenticate',
  'proxy-authorization',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'http2-settings',
]);

/** What every provider's folder says of its own, in whichever call it comes. */
const ACCOUNT_HEADERS_SENT = PROVIDERS.flatMap(({ accountHeaders }) => accountHeaders?.sent ?? []);
const ACCOUNT_HEADERS_ANSWERED = PROVIDERS.flatMap(({ accountHeaders }) => accountHeaders?.answered ?? []);

/** The client's: credentials, account selectors, cookies, traces of who calls, and what the forwarded request has anew. */
const NEVER_FORWARDED = new Set([
  'authorization',
  'x-api-key',
  'xi-api-key',
  'x-goog-api-key',
  'api-key',
  'cookie',
  'host',
  'content-length',
  'expect',
  'forwarded',
  'via',
  'x-real-ip',
  'x-client-ip',
  'true-client-ip',
  // On a shared account the provider would replay one tenant's answer to another.
  'idempotency-key',
  ...ACCOUNT_HEADERS_SENT.filter((name) => !name.endsWith('*')),
]);
const NEVER_FORWARDED_PREFIXES = [
  'x-vendo-',
  'vendo-',
  'x-forwarded-',
  'cf-',
  ...prefixesOf(ACCOUNT_HEADERS_SENT),
];

/** The provider's: what tells about the account behind us, leads around us, or is ours to say. */
const NEVER_RETURNED = new Set([
  'set-cookie',
  'vendo-error-code',
  'alt-svc',
  'strict-transport-security',
  'nel',
  'report-to',
  ...ACCOUNT_HEADERS_ANSWERED.filter((name) => !name.endsWith('*')),
]);
const NEVER_RETURNED_PREFIXES = ['x-ratelimit-', 'access-control-', ...prefixesOf(ACCOUNT_HEADERS_ANSWERED)];
const OF_THE_BYTES = new Set(['content-length', 'etag', 'content-md5']);
/** They may name an absolute URL, and the next request would go there without us. */
const LOCATIONS = new Set(['location', 'content-location']);

function prefixesOf(names: readonly string[]): string[] {
  return names.filter((name) => name.endsWith('*')).map((name) => name.slice(0, -1));
}

export interface ForwardedHeaders {
  /** The answer will be read by the tap: only codings that it can read may be asked for. */
  metered: boolean;
  /** Events may be taken out of the answer, which can be done byte-exactly only without compression. */
  identity: boolean;
}

/** What is forwarded of the client's headers: lower-case names, repeated ones joined. The credential is put in later. */
export function requestHeaders(
  raw: readonly string[],
  { metered, identity }: ForwardedHeaders,
): Record<string, string> {
  const headers: Record<string, string> = Object.create(null);
  const named = namedByConnection(raw);
  for (let at = 0; at + 1 < raw.length; at += 2) {
    const [name = '', value = ''] = [raw[at]?.toLowerCase(), raw[at + 1]];
    if (HOP_BY_HOP.has(name) || named.has(name) || isOurs(name, value)) continue;
    headers[name] = name in headers ? `${headers[name]}, ${value}` : value;
  }
  const accepted = headers['accept-encoding'];
  if (identity) headers['accept-encoding'] = 'identity';
  else if (metered && accepted !== undefined) headers['accept-encoding'] = readableCodings(accepted);
  return headers;
}

function isOurs(name: string, value: string): boolean {
  return (
    NEVER_FORWARDED.has(name) ||
    NEVER_FORWARDED_PREFIXES.some((prefix) => name.startsWith(prefix)) ||
    carriesKey(value)
  );
}

function namedByConnection(raw: readonly string[]): Set<string> {
  const named = new Set<string>();
  for (let at = 0; at + 1 < raw.length; at += 2)
    if (raw[at]?.toLowerCase() === 'connection')
      for (const name of tokens(raw[at + 1] ?? '')) named.add(name);
  return named;
}

export interface ReturnedHeaders {
  /** Events may be taken out, so its length is not the provider's. */
  rewritten: boolean;
  /** The answer is JSON of our own. */
  ownBody: boolean;
  /** The credential that was sent: a header that repeats it (a path with a token in it) is taken out. */
  secret: string;
}

/** What the client gets of the provider's headers, with ours for browsers. */
export function responseHeaders(
  upstream: IncomingHttpHeaders,
  { rewritten, ownBody, secret }: ReturnedHeaders,
): Record<string, string | string[]> {
  const headers: Record<string, string | string[]> = {};
  const named = new Set(tokens(upstream.connection ?? ''));
  for (const [name, value] of Object.entries(upstream)) {
    if (value === undefined || HOP_BY_HOP.has(name) || named.has(name) || isTheirs(name, value)) continue;
    if ((rewritten || ownBody) && OF_THE_BYTES.has(name)) continue;
    if ((ownBody && name === 'content-encoding') || repeats(value, secret)) continue;
    headers[name] = value;
  }
  if (ownBody) headers['content-type'] = 'application/json; charset=utf-8';
  return Object.assign(headers, CORS_HEADERS);
}

function isTheirs(name: string, value: string | string[]): boolean {
  return (
    NEVER_RETURNED.has(name) ||
    NEVER_RETURNED_PREFIXES.some((prefix) => name.startsWith(prefix)) ||
    (LOCATIONS.has(name) && [value].flat().some(isAbsolute))
  );
}

function repeats(value: string | string[], secret: string): boolean {
  return [value].flat().some((text) => text.includes(secret) || text.replace(/%3a/gi, ':').includes(secret));
}

/** `https://..`, and `//host` or `\\host`, which browsers read as absolute too. */
function isAbsolute(location: string): boolean {
  return /^\s*([a-z][a-z0-9+.-]*:|[/\\]{2})/i.test(location);
}

function tokens(list: string): string[] {
  return list
    .split(',')
    .map((token) => token.trim().toLowerCase())
    .filter((token) => token !== '');
}
