import type { Provider, Route } from './provider.js';

/** One id in a path. Percent signs are out: what is matched are the bytes that are forwarded. */
const ID = '(?!\\.{1,2}$)[A-Za-z0-9._:~-]{1,256}';

interface Compiled {
  route: Route;
  path: RegExp;
}

const TABLES = new WeakMap<Provider, readonly Compiled[]>();

/**
 * The provider's route for a method and a raw request target (path with or without its query), or null: not listed
 * is not forwarded. The match is on the bytes as they came, case and trailing slash included.
 */
export function matchRoute(provider: Provider, method: string, target: string): Route | null {
  const queryAt = target.indexOf('?');
  const path = queryAt < 0 ? target : target.slice(0, queryAt);
  for (const { route, path: pattern } of tableOf(provider))
    if (route.method === method && pattern.test(path)) return route;
  return null;
}

function tableOf(provider: Provider): readonly Compiled[] {
  const known = TABLES.get(provider);
  if (known) return known;
  const compiled = provider.routes.map((route) => ({ route, path: pattern(route.path) }));
  TABLES.set(provider, compiled);
  return compiled;
}

function pattern(path: string): RegExp {
  const segments = path.split('/').map((segment) => (segment.startsWith(':') ? ID : literal(segment)));
  return new RegExp(`^${segments.join('/')}$`);
}

function literal(segment: string): string {
  return segment.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
}
