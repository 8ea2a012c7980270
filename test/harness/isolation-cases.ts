import fc from 'fast-check';
import type { Party } from './isolation-parties.js';
import type { RawRequest } from './raw-http.js';

/** A thing of a party that can stand where an id or a key is expected. */
const THINGS = [
  'token',
  'tenantId',
  'appId',
  'appKey',
  'keyId',
  'connectionId',
  'connectionKey',
  'connectionKeyId',
  'credential',
] as const satisfies (keyof Party)[];
type Thing = (typeof THINGS)[number];
/** The credentials of a party. */
const CREDENTIALS = ['appKey', 'connectionKey', 'token'] as const;
/** What opens nothing for whoever knows it; the operator's token opens its own API, and no tenant's. */
const NO_CREDENTIALS = [
  'tenantId',
  'appId',
  'keyId',
  'connectionId',
  'connectionKeyId',
  'operatorToken',
] as const satisfies (keyof Party)[];

/** Whose thing it is: the asker's own, or the other's. */
interface Place<Of extends keyof Party = Thing> {
  whose: 'own' | 'other';
  thing: Of;
}

export interface Operation {
  method: string;
  /** With `{name}` for parameters. */
  path: string;
}

/** One request, with places instead of ids and keys: who stands in them is decided when it is sent. */
export interface Case {
  operation: Operation;
  /** What it is sent with as its credential: one of the asker's, what of the other's is none, or nothing. */
  as: Place<(typeof CREDENTIALS | typeof NO_CREDENTIALS)[number]> | null;
  parameters: Place[];
  query: { name: string; place: Place }[];
  headers: { name: string; place: Place }[];
  host: string | null;
  body: Place | null;
}

/** A key in these is a credential as well. */
const CREDENTIAL_HEADERS = ['x-api-key', 'xi-api-key', 'x-goog-api-key'];
const HEADERS = [
  ...CREDENTIAL_HEADERS,
  'x-vendo-connection',
  'x-vendo-tenant',
  'x-vendo-app',
  'x-vendo-key',
  'x-vendo-user-jwt',
  'x-tenant-id',
  'x-forwarded-authorization',
  'proxy-authorization',
  'idempotency-key',
  'cookie',
  'vendo-connection',
  'openai-organization',
];
const QUERIES = ['app_id', 'tenant_id', 'connection_id', 'key_id', 'key', 'api_key', 'after', 'min_seq'];
/** A key in this parameter is a credential like a header's: whoever sends another's is that other. */
const CREDENTIAL_QUERY = 'key';
const HOSTS = ['openai-proxy.localhost', 'anthropic-proxy.localhost', 'vendo.run', 'localhost'];

/** The proxy's routes, which are in no document of ours. */
export const PROXY_OPERATIONS: Operation[] = ['/proxy/openai', '/proxy/anthropic', ''].flatMap((prefix) => [
  { method: 'POST', path: `${prefix}/v1/chat/completions` },
  { method: 'POST', path: `${prefix}/v1/responses` },
  { method: 'POST', path: `${prefix}/v1/embeddings` },
  { method: 'POST', path: `${prefix}/v1/messages` },
  { method: 'POST', path: `${prefix}/v1/messages/count_tokens` },
  { method: 'GET', path: `${prefix}/v1/models` },
  { method: 'GET', path: `${prefix}/v1/models/{id}` },
  { method: 'GET', path: `${prefix}/v1/{id}` },
]);

/** So many cases over these operations, always the same ones for one seed. */
export function isolationCases(operations: readonly Operation[], count: number, seed: number): Case[] {
  const place = fc.record({
    whose: fc.constantFrom('own', 'other', 'other', 'other') as fc.Arbitrary<Place['whose']>,
    thing: fc.constantFrom(...THINGS),
  });
  const named = (names: string[]) =>
    fc.uniqueArray(fc.record({ name: fc.constantFrom(...names), place }), {
      maxLength: 3,
      selector: ({ name }) => name,
    });
  const arbitrary: fc.Arbitrary<Case> = fc.record({
    operation: fc.constantFrom(...operations),
    as: fc.oneof(
      {
        weight: 6,
        arbitrary: fc.record({ whose: fc.constant('own'), thing: fc.constantFrom(...CREDENTIALS) }),
      },
      {
        weight: 3,
        arbitrary: fc.record({ whose: fc.constant('other'), thing: fc.constantFrom(...NO_CREDENTIALS) }),
      },
      { weight: 1, arbitrary: fc.constant(null) },
    ),
    parameters: fc.array(place, { minLength: 2, maxLength: 2 }),
    query: named(QUERIES),
    headers: named(HEADERS),
    host: fc.option(fc.constantFrom(...HOSTS), { freq: 2 }),
    body: fc.option(place),
  });
  return fc.sample(arbitrary, { numRuns: count, seed });
}

/**
 * Each operation as each of the asker, with the other's things where the product does look for such: chance alone would
 * hardly ever put the right one into the right place.
 */
export function aimedCases(operations: readonly Operation[]): Case[] {
  const others = (thing: Thing): Place => ({ whose: 'other', thing });
  return [...new Set(operations)].flatMap((operation) =>
    CREDENTIALS.map((thing) => ({
      operation,
      as: { whose: 'own', thing },
      parameters: [others('appId'), others('appId')],
      query: [{ name: 'app_id', place: others('appId') }],
      headers: [{ name: 'x-vendo-connection', place: others('connectionId') }],
      host: null,
      body: others('connectionId'),
    })),
  );
}

/** The request that a case is when `own` sends it and `other` stands where others do. */
export function requestOf(given: Case, own: Party, other: Party, model: string): RawRequest {
  const { operation, as, parameters, query, headers, host, body } = given;
  const what = ({ whose, thing }: NonNullable<Case['as']> | Place): string =>
    (whose === 'own' ? own : other)[thing];
  let used = 0;
  const path = operation.path.replace(/\{\w+\}/g, () => {
    const place = parameters[used];
    used += 1;
    return place ? encodeURIComponent(what(place)) : 'none';
  });
  // Beside a key of one's own another's is refused; alone it would make its sender the other.
  const isTwoKeys = as?.whose === 'own' && (as.thing === 'appKey' || as.thing === 'connectionKey');
  const shown = (name: string, place: Place): string => {
    const isCredential = name === CREDENTIAL_QUERY || CREDENTIAL_HEADERS.includes(name);
    return what(isCredential && !isTwoKeys ? { ...place, whose: 'own' } : place);
  };
  const asked = query.map(({ name, place }) => `${name}=${encodeURIComponent(shown(name, place))}`).join('&');
  // Where it is one, the operator's token is not sent.
  const bearer = as?.thing === 'operatorToken' && operation.path.startsWith('/api/admin/') ? null : as;
  const writes = !['GET', 'DELETE', 'OPTIONS'].includes(operation.method);
  return {
    method: operation.method,
    path: asked ? `${path}?${asked}` : path,
    headers: {
      ...Object.fromEntries(headers.map(({ name, place }) => [name, shown(name, place)])),
      ...(bearer === null ? {} : { authorization: `Bearer ${what(bearer)}` }),
      ...(host === null ? {} : { host }),
      ...(writes ? { 'content-type': 'application/json' } : {}),
    },
    ...(writes
      ? { body: JSON.stringify(bodyOf(operation, body === null ? 'none' : what(body), model)) }
      : {}),
  };
}

/** What the route takes where it takes something known, with the thing in every field of it that is free. */
function bodyOf({ path }: Operation, thing: string, model: string): object {
  if (path.endsWith('/spend-caps')) return { spend_cap_daily: 900_000 };
  if (path.includes('/v1/'))
    return { model, max_tokens: 1, user: thing, input: thing, messages: [{ role: 'user', content: thing }] };
  return {
    name: thing,
    display_name: thing,
    connection_id: thing,
    tenant_id: thing,
    provider_slug: 'openai',
  };
}
