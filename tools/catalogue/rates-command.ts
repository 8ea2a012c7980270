import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { parseArgs } from 'node:util';
import {
  type CatalogueRow,
  IMPORTED_PRICES,
  PRICES_BY_HAND,
  readCatalogueFile,
  readCatalogueText,
  writeCatalogue,
} from '@vendo/registry';
import { type Diff, diffOf, isJump, merged } from './import.js';
import { type PriceFile, readPriceFile } from './price-file.js';
import { readSource } from './source-file.js';

const USAGE =
  'usage: npm run rates -- <price file> [--provider slug] [--source name] [--date YYYY-MM-DD] [--with-aliases] [--force] [--apply]';

/** A wrong command line, told in one line. */
export class UsageError extends Error {}

export interface RatesCommand {
  file: string;
  provider: string | undefined;
  source: string;
  date: string;
  aliases: boolean;
  /** Takes prices that jump. */
  force: boolean;
  apply: boolean;
}

/** @param today YYYY-MM-DD, for an import that names no day. Throws UsageError. */
export function readCommand(args: readonly string[], today: string): RatesCommand {
  const { values, positionals } = parsed(args);
  const [file] = positionals;
  if (!file || positionals.length > 1) throw new UsageError(USAGE);
  const { date = today, source = path.basename(file) } = values;
  if (!isDay(date)) throw new UsageError(`--date ${date} is no day\n${USAGE}`);
  if (/[,"\r\n]/.test(source) || source === '')
    throw new UsageError(`--source must be text without commas and quotes\n${USAGE}`);
  return {
    ...{ file, date, source, provider: values.provider },
    aliases: values['with-aliases'] ?? false,
    force: values.force ?? false,
    apply: values.apply ?? false,
  };
}

/** Date.parse takes the 31st of February for the 3rd of March. */
function isDay(text: string): boolean {
  const at = /^\d{4}-\d\d-\d\d$/.test(text) ? Date.parse(text) : Number.NaN;
  return !Number.isNaN(at) && new Date(at).toISOString().startsWith(text);
}

function parsed(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        provider: { type: 'string' },
        source: { type: 'string' },
        date: { type: 'string' },
        'with-aliases': { type: 'boolean' },
        force: { type: 'boolean' },
        apply: { type: 'boolean' },
      },
    });
  } catch (thrown) {
    throw new UsageError(`${(thrown as Error).message}\n${USAGE}`);
  }
}

/** Prints what the file changes in the catalogue of `folder`, and with `apply` writes it. */
export async function importRates(
  { file, apply, force, ...options }: RatesCommand,
  folder: string,
  print: (line: string) => void,
): Promise<void> {
  const [imported, byHand] = await Promise.all(
    [IMPORTED_PRICES, PRICES_BY_HAND].map((name) => readCatalogueFile(path.join(folder, name))),
  );
  if (!imported || !byHand) throw new Error('the catalogue has two files');
  const prices = readPriceFile(await readSource(file, (text) => print(`! ${text}`)), byHand, options);
  const diff = diffOf(imported, prices.rows, { force });
  for (const line of [...toldLines(prices), ...diffLines(diff)]) print(line);
  const result = merged(imported, diff);
  for (const line of summary(prices, diff, [...result, ...byHand])) print(line);
  const target = path.join(folder, IMPORTED_PRICES);
  const text = writeCatalogue(result);
  // The product would not start with a file that it cannot read.
  readCatalogueText(text, `${target}, as it would be`);
  if (apply) await writeFile(target, text);
  print(apply ? `written to ${target}` : 'nothing is written without --apply');
}

function toldLines({ told, others }: PriceFile): string[] {
  const lines = told.map(({ provider, text }) => `! ${provider} ${text}`);
  return others > 0 ? [...lines, `! ${others} entries of other providers skipped`] : lines;
}

function diffLines({ added, changed, refused, jumps }: Diff): string[] {
  return [
    ...added.map((row) => `+ ${inWords(row)}`),
    ...changed.flatMap((change) => [
      `- ${inWords(change.old)} (superseded)`,
      `~ ${inWords(change.row)}${isJump(change) ? ' (a jump)' : ''}`,
    ]),
    ...jumps.map(
      ({ old, row }) =>
        `! ${inWords(row)} skipped: a jump from ${old.unit_cost_usd} per ${old.per}, taken with --force only`,
    ),
    ...refused.map(
      ({ old, row }) => `! ${inWords(row)} skipped: that day has ${old.unit_cost_usd} per ${old.per} already`,
    ),
  ];
}

function inWords(row: CatalogueRow): string {
  const { provider, model, tier, meter, context_from, unit_cost_usd, per, effective_from } = row;
  const context = context_from > 0 ? ` from ${context_from} tokens` : '';
  return `${provider} ${model} ${tier} ${meter}${context}: ${unit_cost_usd} per ${per} since ${effective_from}`;
}

/** One line per provider: what the import does, and what the catalogue then has. */
function summary(prices: PriceFile, diff: Diff, catalogue: readonly CatalogueRow[]): string[] {
  const providers = new Set([...catalogue, ...prices.told].map(({ provider }) => provider));
  return [...providers].sort().map((provider) => {
    const isOwn = (row: { provider: string }) => row.provider === provider;
    const changed = diff.changed.filter(({ row }) => isOwn(row)).length;
    const left = [...diff.refused, ...diff.jumps].filter(({ row }) => isOwn(row)).length;
    const skipped = prices.told.filter(isOwn).length + left;
    const rows = catalogue.filter(isOwn);
    return [
      `${provider}: ${diff.added.filter(isOwn).length} added, ${changed} changed, ${changed} superseded`,
      `${diff.unchanged.filter(isOwn).length} unchanged, ${skipped} skipped or corrected`,
      `${rows.length} rows of ${new Set(rows.map(({ model }) => model)).size} models in the catalogue`,
    ].join('; ');
  });
}
