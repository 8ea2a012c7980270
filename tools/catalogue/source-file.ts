import { readFile } from 'node:fs/promises';
import { Rational } from '@vendo/money';
import { conventionsOf } from './conventions.js';
import type { Say } from './price.js';

/** A price entry in LiteLLM's field names; every number exact, as its text says. */
export interface SourceEntry {
  litellm_provider: string;
  mode?: string;
  [field: string]: unknown;
}

/** Where a file's prices are from, and the day from which they count. */
export interface Origin {
  date: string;
  source: string;
}

/**
 * The entries of a price file by name. Numbers never pass through a float: 2.5e-06 is 1/400000. Throws when the file
 * is not a price file, or has a name twice where a provider of ours has its prices; `say` is told of others.
 */
export async function readSource(file: string, say: Say): Promise<Map<string, SourceEntry>> {
  const text = await readFile(file, 'utf8');
  const parsed: unknown = JSON.parse(text, exactNumber);
  const { ours, others } = keysTwice(text);
  if (ours.length > 0)
    throw new Error(`${file}: says twice, and only the last would count: ${ours.join(', ')}`);
  for (const name of others) say(`${name}: stands twice, in an entry of another provider`);
  if (typeof parsed !== 'object' || parsed === null) throw new Error(`${file}: is no price file`);
  const entries = Object.entries(parsed).filter((named): named is [string, SourceEntry] => isEntry(named[1]));
  if (entries.length === 0) throw new Error(`${file}: has no entry with a litellm_provider`);
  return new Map(entries);
}

/** Notes about the file itself (`_source`, `sample_spec`) have no provider of ours, and are left out with the rest. */
function isEntry(value: unknown): boolean {
  return typeof (value as { litellm_provider?: unknown } | null)?.litellm_provider === 'string';
}

function exactNumber(_key: string, value: unknown, context?: { source?: string }): unknown {
  if (typeof value !== 'number') return value;
  if (context?.source === undefined)
    throw new Error('this Node does not hand the text of a number to a reviver');
  return Rational.parse(context.source);
}

const KEYS_AND_BRACKETS = /("(?:[^"\\]|\\.)*")(\s*:)?|[{}[\]]/g;

/**
 * Names that an object of a JSON text has more than once; a parser takes the last without a word. `ours` are, or stand
 * in, an entry of which one says that it is a provider's of ours.
 */
function keysTwice(json: string): { ours: string[]; others: string[] } {
  const twice: { name: string; entry: string }[] = [];
  const ours = new Set<string>();
  const open: Set<string>[] = [];
  let [entry, field] = ['', ''];
  for (const [bracket, text, isKey] of json.matchAll(KEYS_AND_BRACKETS)) {
    if (bracket === '{' || bracket === '[') open.push(new Set());
    else if (bracket === '}' || bracket === ']') open.pop();
    else if (text !== undefined && isKey !== undefined) {
      field = JSON.parse(text);
      if (open.length === 1) entry = field;
      if (open.at(-1)?.has(field)) twice.push({ name: field, entry });
      open.at(-1)?.add(field);
    } else if (text !== undefined && open.length === 2 && field === 'litellm_provider')
      if (conventionsOf(JSON.parse(text))) ours.add(entry);
  }
  const named = Map.groupBy(twice, (one) => (ours.has(one.entry) ? 'ours' : 'others'));
  const namesOf = (whose: 'ours' | 'others') => (named.get(whose) ?? []).map(({ name }) => name);
  return { ours: namesOf('ours'), others: namesOf('others') };
}
