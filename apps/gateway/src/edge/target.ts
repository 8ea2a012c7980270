/** A request for a provider: its slug and the raw target (path and query) that will be forwarded. */
export interface ProxyTarget {
  slug: string;
  /** As it came, byte for byte, without the `/proxy/{slug}` prefix: what is classified is what is forwarded. */
  raw: string;
}

const PATH_FORM = /^\/proxy\/([^/?#]*)(.*)$/s;

/**
 * Whether a request is for a provider, by its Host header (`{slug}-proxy.<domain>[:port]`) or by its raw path
 * (`/proxy/{slug}/..`). Null: it is for Nest. The slug may be unknown: that is the proxy's to say.
 */
export function proxyTarget(host: string | undefined, rawTarget: string, domain: string): ProxyTarget | null {
  const slug = slugOfHost(host ?? '', domain);
  if (slug !== null) return { slug, raw: rawTarget };
  const [, named, rest] = PATH_FORM.exec(rawTarget) ?? [];
  if (named === undefined || rest === undefined) return null;
  return { slug: named, raw: rest.startsWith('/') ? rest : `/${rest}` };
}

function slugOfHost(host: string, domain: string): string | null {
  const name = host.replace(/:\d+$/, '').replace(/\.$/, '').toLowerCase();
  const suffix = `-proxy.${domain.toLowerCase()}`;
  return name.endsWith(suffix) ? name.slice(0, -suffix.length) : null;
}

/**
 * Whether a raw target could mean another path to somebody who decodes it: `.` or `..` segments, raw, percent-encoded
 * (also twice) or with `;params`, and encoded slashes or backslashes. Looks at the bytes as they came, before any URL
 * parsing. Query strings are free to hold dots.
 */
export function hasTraversal(rawTarget: string): boolean {
  const path = decodeDotsAndSlashes(pathOf(rawTarget));
  if (path === null) return true;
  return path.split('/').some((segment) => /^\.{1,2}(;.*)?$/s.test(segment));
}

export function pathOf(rawTarget: string): string {
  const end = rawTarget.search(/[?#]/);
  return end < 0 ? rawTarget : rawTarget.slice(0, end);
}

/** What stands behind the question mark; '' when nothing does. */
export function queryOf(rawTarget: string): string {
  const at = rawTarget.indexOf('?');
  return at < 0 ? '' : rawTarget.slice(at + 1);
}

/** Null when the path has a backslash or an encoded slash. */
function decodeDotsAndSlashes(path: string): string | null {
  // Every `%25` is a percent sign to somebody who decodes once more, so runs of them count as one.
  const decoded = path.replace(/%(?:25)+/gi, '%').replace(/%2e/gi, '.');
  return /\\|%5c|%2f/i.test(decoded) ? null : decoded;
}
