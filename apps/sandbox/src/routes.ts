import type { Route, Upstream } from './upstream.js';

interface Match {
  route: Route;
  params: Readonly<Record<string, string>>;
}

interface Compiled {
  /** Routes whose path has no parameters, by method and path. */
  exact: ReadonlyMap<string, Route>;
  patterns: readonly { route: Route; pattern: RegExp }[];
}

const COMPILED = new WeakMap<Upstream, Compiled>();

/** The route of a provider that a call is for: a plain path wins over a pattern, an earlier pattern over a later one. */
export function matchRoute(upstream: Upstream, method: string, path: string): Match | null {
  const { exact, patterns } = compiled(upstream);
  const route = exact.get(`${method} ${path}`);
  if (route) return { route, params: {} };
  for (const { route, pattern } of patterns) {
    if (route.method !== null && route.method !== method) continue;
    const found = pattern.exec(path);
    if (found) return { route, params: decoded(found.groups ?? {}) };
  }
  return null;
}

function compiled(upstream: Upstream): Compiled {
  const known = COMPILED.get(upstream);
  if (known) return known;
  const isPlain = ({ method, path }: Route): boolean => method !== null && !path.includes('{');
  const fresh = {
    exact: new Map(upstream.routes.filter(isPlain).map((route) => [`${route.method} ${route.path}`, route])),
    patterns: upstream.routes
      .filter((route) => !isPlain(route))
      .map((route) => ({ route, pattern: patternOf(route.path) })),
  };
  COMPILED.set(upstream, fresh);
  return fresh;
}

function patternOf(path: string): RegExp {
  const source = path
    .replace(/[.*+?^$()|[\]\\]/g, '\\$&')
    .replace(/\{(\w+)\\\.\\\.\\\.\}/g, '(?<$1>.+)')
    .replace(/\{(\w+)\}/g, '(?<$1>[^/]+?)');
  return new RegExp(`^${source}$`);
}

/** A parameter that is no sound percent-encoding is taken as it is. */
function decoded(groups: Record<string, string>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(groups).map(([name, value]) => {
      try {
        return [name, decodeURIComponent(value)];
      } catch {
        return [name, value];
      }
    }),
  );
}
