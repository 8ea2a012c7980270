import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import type { Exchange, Headers, Json } from './wire.js';

export type Answer = (exchange: Exchange, body: Json) => void;

/** How the body of a request is read; a form may also come as JSON, as most providers allow. */
export type Takes = 'json' | 'form' | 'bytes' | 'nothing';

/** One route of a provider's API. */
export interface Route {
  /** Null: any. */
  method: 'GET' | 'POST' | 'DELETE' | null;
  /** `{name}` stands for one segment of the path, `{name...}` for one or more; colons stand for themselves. */
  path: string;
  takes: Takes;
  /** A request that names no model is refused. */
  needsModel: boolean;
  /** Answered without a credential. */
  open: boolean;
  /** Where this route's errors look otherwise than the provider's others. */
  statusError?: (status: number, message: string | undefined, query: URLSearchParams) => unknown;
  answer: Answer;
}

/** What one provider's API looks like from outside. */
export interface Upstream {
  /** The gateway's name for it; also the first segment of a path that says which provider it is for. */
  slug: string;
  /** Paths that exist at this provider only. */
  ownPaths?: RegExp;
  /** Paths that it shares with others: it is meant where nobody's mark is found, or by its mark. */
  sharedPaths?: RegExp;
  /** What its clients send and those of the others do not. */
  marked?(headers: IncomingHttpHeaders, query: URLSearchParams): boolean;
  routes: readonly Route[];
  headers(): Headers;
  /** The credential, from the provider's own place for it; '' when there is none. */
  credential(request: IncomingMessage): string;
  /** Where the name stands that may hold directives; anything but a string is no name. */
  modelOf(body: Json, params: Readonly<Record<string, string>>): unknown;
  /** The error body that goes with a status; the provider's usual words unless told. */
  statusError(status: number, message?: string): unknown;
  /** Statuses of a refused credential and of a body that lacks something. */
  refusals: { credential: number; body: number };
  /** The body that goes with a refused credential, where it is not that of the status. */
  credentialError?: () => unknown;
}

/** A route that takes a JSON object with a model, unless `how` says otherwise. */
export function post(path: string, answer: Answer, how: Partial<Route> = {}): Route {
  return { method: 'POST', path, takes: 'json', needsModel: true, open: false, answer, ...how };
}

export function get(path: string, answer: Answer, how: Partial<Route> = {}): Route {
  return { method: 'GET', path, takes: 'nothing', needsModel: false, open: false, answer, ...how };
}

export function bearer({ authorization }: IncomingHttpHeaders): string {
  return authorization?.startsWith('Bearer ') ? authorization.slice('Bearer '.length) : '';
}

/** The first value of a header; '' when there is none. */
export function headerOf(headers: IncomingHttpHeaders, name: string): string {
  const value = headers[name];
  return (Array.isArray(value) ? value[0] : value) ?? '';
}
