import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { Meter } from '@vendo/events';
import { z } from 'zod';

/** Data, not code, copied beside the code by the build: what `npm run rates` imports, and what is kept by hand. */
const FOLDER = path.join(import.meta.dirname, '../../pricing/catalogue');
export const IMPORTED_PRICES = 'imported.csv';
export const PRICES_BY_HAND = 'by-hand.csv';

/** No quotes in our CSV, so no comma in a value. */
const Text = z.string().regex(/^[^,"\r\n]+$/, 'must be text without commas and quotes');
const Decimal = z.string().regex(/^\d+(\.\d+)?$/, 'must be a decimal');

/** One price of the catalogue: a line of a file. */
const CatalogueRow = z
  .strictObject({
    provider: Text,
    /** The rate key; `*` for every model of the provider. */
    model: Text,
    tier: Text,
    meter: Meter,
    /** The row applies to calls whose whole prompt has at least this many tokens. */
    context_from: z
      .string()
      .regex(/^\d{1,9}$/, 'must be a whole number')
      .transform(Number),
    unit_cost_usd: Decimal,
    per: Decimal,
    /** The day, UTC. */
    effective_from: z.iso.date(),
    /** Where the price is from. */
    source: Text,
    free: z.stringbool({ truthy: ['free'], falsy: [''] }),
  })
  .refine(({ unit_cost_usd, free }) => /[1-9]/.test(unit_cost_usd) !== free, 'a zero must be declared free')
  .refine(({ per }) => /[1-9]/.test(per), 'per must be positive');
export type CatalogueRow = z.infer<typeof CatalogueRow>;

const COLUMNS = Object.keys(CatalogueRow.shape) as (keyof CatalogueRow)[];

/** The list prices that this version of the product ships with. Throws when a file is damaged. */
export async function readCatalogue(): Promise<CatalogueRow[]> {
  const files = await Promise.all(
    [IMPORTED_PRICES, PRICES_BY_HAND].map((name) => readCatalogueFile(path.join(FOLDER, name))),
  );
  return files.flat();
}

/** Throws an error that names file and line. */
export async function readCatalogueFile(file: string): Promise<CatalogueRow[]> {
  return readCatalogueText(await readFile(file, 'utf8'), file);
}

/** The same of what stands in the file, or will. */
export function readCatalogueText(text: string, file: string): CatalogueRow[] {
  const [header, ...lines] = text.split('\n').filter((line) => line !== '');
  if (header !== COLUMNS.join(',')) throw new Error(`${file}: must begin with ${COLUMNS.join(',')}`);
  return lines.map((line, n) => {
    const values = line.split(',');
    const { success, data, error } = CatalogueRow.safeParse(
      Object.fromEntries(COLUMNS.map((column, at) => [column, values[at]])),
    );
    if (!success || values.length !== COLUMNS.length)
      throw new Error(`${file}: line ${n + 2}: ${error ? z.prettifyError(error) : 'wrong number of values'}`);
    return data;
  });
}

/** CSV with one price per line, so that a changed price is an added line. */
export function writeCatalogue(rows: readonly CatalogueRow[]): string {
  const lines = rows.map((row) =>
    COLUMNS.map((column) => (column === 'free' ? (row.free ? 'free' : '') : row[column])).join(','),
  );
  return `${[COLUMNS.join(','), ...lines].join('\n')}\n`;
}
