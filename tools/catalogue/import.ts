import { Rational } from '@vendo/money';
import type { CatalogueRow } from '@vendo/registry';
import { aliasTiers } from './alias-tiers.js';
import { aliasOf } from './conventions.js';
import { familyTiers } from './family-tiers.js';
import { toolPrices } from './tool-prices.js';

export interface Change {
  /** The row in force until now. */
  old: CatalogueRow;
  row: CatalogueRow;
}

/** What an import does to the catalogue. Rows are only ever added: a changed price is a row of a later day. */
export interface Diff {
  added: CatalogueRow[];
  changed: Change[];
  unchanged: CatalogueRow[];
  /** Another price of the same day stands in the catalogue: that day is history. */
  refused: Change[];
  /** Not believed: a slip of a decimal point is more likely. */
  jumps: Change[];
}

/**
 * Compares `wanted`, all of one day, with what `catalogue` has in force on that day.
 * @param force takes jumps too.
 */
export function diffOf(
  catalogue: readonly CatalogueRow[],
  wanted: readonly CatalogueRow[],
  { force = false }: { force?: boolean } = {},
): Diff {
  const diff: Diff = { added: [], changed: [], unchanged: [], refused: [], jumps: [] };
  const date = wanted[0]?.effective_from ?? '';
  const inForce = inForceOn(catalogue, date);
  const take = (row: CatalogueRow): void => {
    const old = inForce.get(keyOf(row));
    if (!old) diff.added.push(row);
    else if (isSamePrice(old, row)) diff.unchanged.push(old);
    else if (old.effective_from === row.effective_from) diff.refused.push({ old, row });
    else if (!force && isJump({ old, row })) diff.jumps.push({ old, row });
    else diff.changed.push({ old, row });
    // A file may have a model under two names: the first counts.
    if (!old || diff.changed.at(-1)?.row === row) inForce.set(keyOf(row), row);
  };
  [...wanted, ...followingTiers(inForce, wanted)].forEach(take);
  // Derived from what was taken: a price that is not believed has no tiers.
  lackingPrices(inForce, wanted, date).forEach(take);
  return diff;
}

/**
 * A tier that the file does not price moves with the standard price, at the ratio that it had: half for flex, twice for
 * priority. Left alone it would go on at the price of an older day.
 */
function followingTiers(
  inForce: ReadonlyMap<string, CatalogueRow>,
  wanted: readonly CatalogueRow[],
): CatalogueRow[] {
  const priced = new Set(wanted.map(tierOf));
  const tiers = new Map<string, CatalogueRow[]>();
  for (const old of inForce.values())
    if (!priced.has(tierOf(old))) tiers.set(placeOf(old), [...(tiers.get(placeOf(old)) ?? []), old]);
  return wanted.flatMap((row) => {
    const standard = inForce.get(keyOf(row));
    if (row.tier !== 'standard' || !standard || standard.free || isSamePrice(standard, row)) return [];
    const moved = costOf(row).dividedBy(costOf(standard));
    return (tiers.get(placeOf(row)) ?? []).map((old) => ({
      ...row,
      tier: old.tier,
      unit_cost_usd: decimal(costOf(old).times(moved).times(Rational.parse(row.per))),
      source: `${row.source}; derived: moves with the standard price`,
    }));
  });
}

/** What the models of `wanted` lack and their families, their aliases or their generations have. */
function lackingPrices(
  inForce: ReadonlyMap<string, CatalogueRow>,
  wanted: readonly CatalogueRow[],
  date: string,
): CatalogueRow[] {
  const models = Map.groupBy(inForce.values(), modelOf);
  const named = new Map(wanted.map((row) => [modelOf(row), row]));
  return [...named].flatMap(([name, { provider, model }]) => {
    const rows = [...(models.get(name) ?? [])];
    const alias = aliasOf(provider, model);
    const ofAlias = alias === null ? [] : (models.get(modelOf({ provider, model: alias })) ?? []);
    rows.push(...familyTiers(rows, date));
    rows.push(...aliasTiers(rows, ofAlias, date));
    rows.push(...toolPrices(rows, date));
    return rows.slice(models.get(name)?.length ?? 0);
  });
}

/** Sorted by model, with the rows of one price one below the other, oldest first. */
export function merged(catalogue: readonly CatalogueRow[], { added, changed }: Diff): CatalogueRow[] {
  return [...catalogue, ...added, ...changed.map(({ row }) => row)].sort((a, b) => {
    const [left, right] = [sortKey(a), sortKey(b)];
    return left < right ? -1 : left > right ? 1 : 0;
  });
}

function inForceOn(catalogue: readonly CatalogueRow[], day: string): Map<string, CatalogueRow> {
  const rows = new Map<string, CatalogueRow>();
  for (const row of catalogue) {
    const known = rows.get(keyOf(row));
    if (row.effective_from <= day && (!known || known.effective_from <= row.effective_from))
      rows.set(keyOf(row), row);
  }
  return rows;
}

function isSamePrice(a: CatalogueRow, b: CatalogueRow): boolean {
  return a.free === b.free && costOf(a).compare(costOf(b)) === 0;
}

/** More than ten times the price in force or less than a tenth of it, or from nothing to something and back, as for feeds. */
export function isJump({ old, row }: Change): boolean {
  const [before, now] = [costOf(old), costOf(row)];
  if (old.free !== row.free) return true;
  return now.compare(before.times(TEN)) > 0 || before.compare(now.times(TEN)) > 0;
}

const TEN = Rational.of(10n);

/** USD for one unit. */
function costOf({ unit_cost_usd, per }: CatalogueRow): Rational {
  return Rational.parse(unit_cost_usd).dividedBy(Rational.parse(per));
}

/** A ratio need not have a finite decimal: what is derived by one is rounded to the ninth place. */
function decimal(derived: Rational): string {
  const places = Rational.of(1_000_000_000n);
  return Rational.of(derived.times(places).roundHalfEven()).dividedBy(places).toDecimal();
}

function keyOf({ provider, model, tier, meter, context_from }: CatalogueRow): string {
  return [provider, model, tier, meter, context_from].join('\0');
}

/** The same price in whatever tier. */
function placeOf({ provider, model, meter, context_from }: CatalogueRow): string {
  return [provider, model, meter, context_from].join('\0');
}

function modelOf({ provider, model }: Pick<CatalogueRow, 'provider' | 'model'>): string {
  return [provider, model].join('\0');
}

function tierOf({ provider, model, tier }: CatalogueRow): string {
  return [provider, model, tier].join('\0');
}

function sortKey(row: CatalogueRow): string {
  const { provider, model, tier, meter, context_from, effective_from } = row;
  return [provider, model, tier, meter, String(context_from).padStart(9, '0'), effective_from].join('\0');
}
