import { VendoError } from '@vendo/errors';
import { pathOf, queryOf } from '../edge/target.js';

const OURS = 'vendo_sk_';
/** Wherever a provider's own SDK puts its key. `authorization` is read with or without `Bearer`. */
const KEY_HEADERS = new Set(['authorization', 'x-api-key', 'xi-api-key', 'x-goog-api-key']);
/** The same in the query; they are taken out of what is forwarded, whatever they hold. */
const KEY_PARAMETERS = new Set(['key', 'access_token', 'oauth_token', 'token']);
/** Telegram's clients put it into the path; those that look at its shape as `<digits>:<key>`. */
const KEY_IN_PATH = /^\/(?:file\/)?bot(?:\d+(?::|%3a))?(vendo_sk_[A-Za-z0-9_-]+)(?:\/|$)/i;

/**
 * The key of ours that a request presents. Credentials that are not ours are ignored here, and none of either kind is
 * forwarded. Throws VendoError `app_unknown` when there is none, or two different ones.
 */
export function presentedKey(rawHeaders: readonly string[], rawTarget: string): string {
  const found = new Set<string>();
  const look = (candidate: string): void => {
    if (candidate.startsWith(OURS)) found.add(candidate);
  };
  for (let at = 0; at + 1 < rawHeaders.length; at += 2) {
    const [name = '', value = ''] = [rawHeaders[at]?.toLowerCase(), rawHeaders[at + 1]];
    if (KEY_HEADERS.has(name)) look(name === 'authorization' ? withoutScheme(value) : value.trim());
  }
  for (const parameter of parametersOf(rawTarget)) {
    const [name, value] = readParameter(parameter);
    if (KEY_PARAMETERS.has(name)) look(value);
  }
  look(KEY_IN_PATH.exec(pathOf(rawTarget))?.[1] ?? '');
  const [key, another] = found;
  if (key === undefined) throw new VendoError('app_unknown');
  if (another !== undefined)
    throw new VendoError('app_unknown', 'The request carries two different API keys.');
  return key;
}

/** The target without credentials in its query; every other byte stays as it came. */
export function withoutKeyParameters(rawTarget: string): string {
  const parameters = parametersOf(rawTarget);
  const kept = parameters.filter(
    (parameter) => !KEY_PARAMETERS.has(readParameter(parameter)[0]) && !carriesKey(decoded(parameter)),
  );
  if (kept.length === parameters.length) return rawTarget;
  const path = pathOf(rawTarget);
  return kept.length === 0 ? path : `${path}?${kept.join('&')}`;
}

/** Whether a text holds a key of ours, in a place where none is looked for. */
export function carriesKey(text: string): boolean {
  return text.includes(OURS);
}

function withoutScheme(value: string): string {
  return value.replace(/^bearer\s+/i, '').trim();
}

function parametersOf(rawTarget: string): string[] {
  const query = queryOf(rawTarget);
  return query === '' ? [] : query.split('&');
}

/** Name and value as a provider would decode them, so that `%6bey=` is a key as well. */
function readParameter(parameter: string): [name: string, value: string] {
  const at = parameter.indexOf('=');
  const [name, value] = at < 0 ? [parameter, ''] : [parameter.slice(0, at), parameter.slice(at + 1)];
  return [decoded(name).toLowerCase(), decoded(value)];
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '));
  } catch {
    return text;
  }
}
