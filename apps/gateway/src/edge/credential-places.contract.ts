/** What of a request carries a credential; `token`: that in the path. */
export type Place = (credential: string) => {
  headers?: Record<string, string>;
  query?: string;
  token?: string;
};

/** Where a client may put a key of ours. */
export const PLACES: Record<string, Place> = {
  'Authorization with Bearer': (one) => ({ headers: { authorization: `Bearer ${one}` } }),
  'bare Authorization': (one) => ({ headers: { authorization: one } }),
  'x-api-key': (one) => ({ headers: { 'x-api-key': one } }),
  'xi-api-key': (one) => ({ headers: { 'xi-api-key': one } }),
  'x-goog-api-key': (one) => ({ headers: { 'x-goog-api-key': one } }),
  key: (one) => ({ query: `key=${one}` }),
  access_token: (one) => ({ query: `access_token=${one}` }),
  token: (one) => ({ query: `token=${one}` }),
  path: (token) => ({ token }),
};
/** Where providers read credentials or whose account it is, and we do not. */
export const MORE_PLACES: Record<string, Place> = {
  Cookie: (one) => ({ headers: { cookie: `session=${one}` } }),
  'Proxy-Authorization': (one) => ({ headers: { 'proxy-authorization': `Bearer ${one}` } }),
  'api-key': (one) => ({ headers: { 'api-key': one } }),
  'x-user-api-key': (one) => ({ headers: { 'x-user-api-key': one } }),
  'x-org-api-key': (one) => ({ headers: { 'x-org-api-key': one } }),
  'openai-organization': (one) => ({ headers: { 'openai-organization': one } }),
  'sec-websocket-protocol': (one) => ({
    headers: { 'sec-websocket-protocol': `openai-insecure-api-key.${one}` },
  }),
  'an encoded key': (one) => ({ query: `%6Bey=${one}` }),
};
export const THEIRS_ONLY = Object.keys(MORE_PLACES);

/** Whether one request can carry a credential in each: a header has one value. */
export function canBeTogether(one: string, other: string): boolean {
  const [headers, others] = [headersOf(one), headersOf(other)];
  return one !== other && !headers.some((name) => others.includes(name));
}

function headersOf(place: string): string[] {
  return Object.keys({ ...PLACES, ...MORE_PLACES }[place]?.('').headers ?? {});
}
