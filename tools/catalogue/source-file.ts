import { readFile } from 'node:fs/promises';
import { Rational } from '@vendo/money';

/** A price entry in LiteLLM's field names; every number exact, as its text says. */
export interface SourceEntry {
  litellm_provider: string;
  mode?: string;
  [field: string]: unknown;
}

/** The entries of a price file by model name. Numbers never pass through a float: 2.5e-06 is 1/400000. */
export async function readSource(file: string): Promise<Map<string, SourceEntry>> {
  const parsed: Record<string, SourceEntry> = JSON.parse(await readFile(file, 'utf8'), exactNumber);
  return new Map(Object.entries(parsed).filter(([name]) => !name.startsWith('_')));
}

function exactNumber(_key: string, value: unknown, context?: { source?: string }): unknown {
  if (typeof value !== 'number') return value;
  if (context?.source === undefined)
    throw new Error('this Node does not hand the text of a number to a reviver');
  return Rational.parse(context.source);
}
