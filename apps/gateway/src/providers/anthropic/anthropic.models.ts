/** A dated snapshot: `-20250514`, or `-2025-05-14`. */
const SNAPSHOT = /-(20\d{6}|\d{4}-\d{2}-\d{2})$/;

/** Claude 4 goes by two orders of its words: `claude-sonnet-4-20250514` and `claude-4-sonnet-20250514`. */
const FAMILY_FIRST = /^claude-(opus|sonnet|haiku)-4(-20\d{6})?$/;
const VERSION_FIRST = /^claude-4-(opus|sonnet|haiku)(-20\d{6})?$/;

/** Aliases that Anthropic has pinned to one snapshot for good: nothing newer will come of these versions. */
const PINNED: ReadonlyMap<string, string> = new Map([
  ['claude-sonnet-4-0', 'claude-sonnet-4-20250514'],
  ['claude-opus-4-0', 'claude-opus-4-20250514'],
  ['claude-sonnet-4', 'claude-sonnet-4-20250514'],
  ['claude-opus-4', 'claude-opus-4-20250514'],
  ['claude-3-7-sonnet-latest', 'claude-3-7-sonnet-20250219'],
  ['claude-3-opus-latest', 'claude-3-opus-20240229'],
]);

/**
 * Names under which a model may be priced: as it is, without the `anthropic/` prefix, the other order of its words,
 * the snapshot that an alias is pinned to, without its snapshot date.
 */
export function rateKeys(model: string): readonly string[] {
  const bare = model.startsWith('anthropic/') ? model.slice('anthropic/'.length) : model;
  const names = [bare, reordered(bare)];
  const pinned = names.flatMap((name) => PINNED.get(name) ?? []);
  const undated = names.map((name) => name.replace(SNAPSHOT, ''));
  return [...new Set([model, ...names, ...pinned, ...undated])];
}

/** Whether one of two names is a name of the other's model: dated and not, say. Two snapshots are two models. */
export function isSameModel(name: string, other: string | null): boolean {
  return other !== null && (rateKeys(name).includes(other) || rateKeys(other).includes(name));
}

function reordered(model: string): string {
  return FAMILY_FIRST.test(model)
    ? model.replace(FAMILY_FIRST, 'claude-4-$1$2')
    : model.replace(VERSION_FIRST, 'claude-$1-4$2');
}

/** What decides the price of Claude's tokens beside the model. */
export interface Circumstances {
  speed: string | null;
  geo: string | null;
}

/**
 * The tier as rates name it: `standard`, `fast` (speed), `us` (inference_geo), `fast_us`. `service_tier: priority` is
 * capacity bought in advance, its tokens count at the standard price. A speed that is unknown here is a tier of its own.
 */
export function tierOf({ speed, geo }: Circumstances): string {
  const pace = speed === null || speed === 'standard' ? '' : speed;
  const place = geo === 'us' ? 'us' : '';
  return [pace, place].filter(Boolean).join('_') || 'standard';
}
