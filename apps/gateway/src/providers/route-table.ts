import type { Provider, Route } from './provider.js';

/** One id in a path. Percent signs are out: what is matched are the bytes that are forwarded. */
export const ID = '(?!\\.{1,2}(?:/|$))[A-Za-z0-9._:~-]{1,256}';
/** One that something follows in its segment, which begins with a colon. */
const ID_BEFORE = '[A-Za-z0-9._~-]{1,256}';
/** The rest of a path: ids with slashes between them. */
const REST = `${ID}(?:/${ID}){0,7}`;
const WHOLE_ID = new RegExp(`^${ID}$`);
const NAME = /^([:*])([a-zA-Z]+)(.*)$/s;

/** A route and what the named parts of its pattern are in this path. */
export interface RouteMatch {
  route: Route;
  params: Readonly<Record<string, string>>;
}

interface Compiled {
  route: Route;
  path: RegExp;
}

const TABLES = new WeakMap<Provider, readonly Compiled[]>();

/**
 * The provider's route for a method and a raw request target (path with or without its query), or null: not listed
 * is not forwarded. The match is on the bytes as they came, case and trailing slash included. The first that matches
 * wins.
 */
export function matchRoute(provider: Provider, method: string, target: string): RouteMatch | null {
  const queryAt = target.indexOf('?');
  const path = queryAt < 0 ? target : target.slice(0, queryAt);
  for (const { route, path: pattern } of tableOf(provider)) {
    const match = route.method === method ? pattern.exec(path) : null;
    if (match) return { route, params: match.groups ?? {} };
  }
  return null;
}

/** An id that a provider names and that may stand in a path; null for anything else. */
export function idOf(value: unknown): string | null {
  return typeof value === 'string' && WHOLE_ID.test(value) ? value : null;
}

function tableOf(provider: Provider): readonly Compiled[] {
  const known = TABLES.get(provider);
  if (known) return known;
  const compiled = provider.routes.map((route) => ({ route, path: pattern(route.path) }));
  TABLES.set(provider, compiled);
  return compiled;
}

function pattern(path: string): RegExp {
  return new RegExp(`^${path.split('/').map(segment).join('/')}$`);
}

function segment(text: string): string {
  const [, kind, name, suffix = ''] = NAME.exec(text) ?? [];
  if (name === undefined) return literal(text);
  if (suffix !== '') return `(?<${name}>${ID_BEFORE})${literal(suffix)}`;
  return `(?<${name}>${kind === '*' ? REST : ID})`;
}

function literal(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
}
