import { type CatalogueRow, listPrices, type Note, type Origin } from './list-prices.js';
import type { SourceEntry } from './source-file.js';

const PROVIDERS = ['openai', 'anthropic'];
const MODES = ['chat', 'responses', 'embedding'];

export interface PriceFile extends Origin {
  entries: ReadonlyMap<string, SourceEntry>;
}

/** Why an entry of a known provider and mode is left out; null when it is taken. Numbers are those of data/README.md. */
function defectOf(name: string, entry: SourceEntry, isSupplement: boolean): string | null {
  if (/[/]/.test(name)) return 'is not a model name of the API';
  if (!isSupplement && name.endsWith('-latest')) return 'defect 7: an alias whose price goes stale';
  if (!entry.input_cost_per_token) return 'has no input price';
  return null;
}

/** All rows, sorted by model; those of the supplement are in force beside the older ones from their date. */
export function makeCatalogue(source: PriceFile, supplement: PriceFile, say: Note): CatalogueRow[] {
  const rows: CatalogueRow[] = [];
  for (const file of [source, supplement]) {
    for (const [name, entry] of file.entries) {
      if (!PROVIDERS.includes(entry.litellm_provider) || !MODES.includes(entry.mode ?? '')) continue;
      const defect = defectOf(name, entry, file === supplement);
      if (defect) {
        say(`${name}: left out, ${defect}`);
        continue;
      }
      rows.push(...listPrices(name, entry, file, (text) => say(`${name}: ${text}`)));
    }
  }
  return withoutStaleTiers(rows, supplement, say).sort(byName);
}

/** A new base price makes the old prices of the model's other tiers wrong; no price is better than a wrong one. */
function withoutStaleTiers(rows: readonly CatalogueRow[], { entries, date }: PriceFile, say: Note) {
  const isStale = ({ model, tier, effective_from }: CatalogueRow) =>
    tier !== 'standard' && effective_from < date && entries.has(model);
  const stale = new Set(rows.filter(isStale).map(({ model, tier }) => `${model}: tier ${tier}`));
  for (const one of stale) say(`${one} left out, its base price has changed since`);
  return rows.filter((row) => !isStale(row));
}

function byName(a: CatalogueRow, b: CatalogueRow): number {
  const [left, right] = [sortKey(a), sortKey(b)];
  return left < right ? -1 : left > right ? 1 : 0;
}

function sortKey({ provider, model, tier, meter, context_from, effective_from }: CatalogueRow): string {
  return [provider, model, tier, meter, String(context_from).padStart(9, '0'), effective_from].join('\0');
}

/** A JSON array with one row per line, so that a changed price is a changed line. */
export function writeCatalogue(rows: readonly CatalogueRow[]): string {
  return `[\n${rows.map((row) => JSON.stringify(row)).join(',\n')}\n]\n`;
}

/** Lines such as `openai: 120 models, 900 rows`. */
export function countsOf(rows: readonly CatalogueRow[]): string[] {
  return PROVIDERS.map((provider) => {
    const own = rows.filter((row) => row.provider === provider);
    return `${provider}: ${new Set(own.map(({ model }) => model)).size} models, ${own.length} rows`;
  });
}
