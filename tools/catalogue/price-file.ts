import type { CatalogueRow } from '@vendo/registry';
import { type Conventions, conventionsOf } from './conventions.js';
import { listPrices } from './list-prices.js';
import type { Origin, SourceEntry } from './source-file.js';

const MODES_WITHOUT_ROUTE = ['realtime', 'video_generation'];
/** A name that may stand in a line of the catalogue, but not `*`, which is all models. */
const MODEL_NAME = /^(?!\*$)[!#-+\--~]{1,200}$/;
/** `low/1024-x-1024/gpt-image-1`: an image model by quality and size. */
const IMAGE_NAME = /^([a-z]+\/)?(\d+)-x-(\d+)\/([^/]+)$/;

export interface PriceFileOptions extends Origin {
  /** Only this provider of ours. */
  provider?: string | undefined;
  /** Takes `-latest` names too: only where the file's are known to be of the day. */
  aliases: boolean;
}

export interface Told {
  provider: string;
  text: string;
}

export interface PriceFile {
  /** What the file prices, as rows of the catalogue. */
  rows: CatalogueRow[];
  /** What was left out or put right, and why. */
  told: Told[];
  /** Entries of providers that are not ours. */
  others: number;
}

/**
 * Reads the prices of a file in LiteLLM's format. A model is left out where prices kept by hand (`byHand`) say more
 * than the file.
 */
export function readPriceFile(
  entries: ReadonlyMap<string, SourceEntry>,
  byHand: readonly CatalogueRow[],
  options: PriceFileOptions,
): PriceFile {
  const file: PriceFile = { rows: [], told: [], others: 0 };
  for (const [name, entry] of entries) {
    const conventions = conventionsOf(entry.litellm_provider);
    if (!conventions) file.others += 1;
    if (!conventions || (options.provider && options.provider !== conventions.provider)) continue;
    const { provider } = conventions;
    const say = (text: string) => file.told.push({ provider, text: `${name}: ${text}` });
    const model = modelName(conventions, name);
    const why = model === null ? 'is no name of a model' : whySkipped(name, model, entry, provider, entries);
    const kept = byHand.find(
      (row) => row.provider === provider && row.model === model && row.effective_from <= options.date,
    );
    if (model === null || why) say(`skipped: ${why}`);
    else if (kept) say(`skipped: kept by hand (${kept.source})`);
    else if (!options.aliases && model.endsWith('-latest') && entry.mode !== 'moderation')
      say('skipped: what a -latest name stands for changes, and the file does not follow');
    else file.rows.push(...listPrices(name, entry, { conventions, model }, options, say));
  }
  return file;
}

/** The name that the provider's API has for the model; null where the entry is none. */
function modelName(conventions: Conventions, name: string): string | null {
  const known = Object.hasOwn(conventions.models, name) ? conventions.models[name] : undefined;
  if (known !== undefined) return known;
  const model = nameIn(conventions, name);
  return model !== null && MODEL_NAME.test(model) ? model : null;
}

function nameIn({ provider, imageSizesInNames }: Conventions, name: string): string | null {
  const bare = name.startsWith(`${provider}/`) ? name.slice(provider.length + 1) : name;
  if (!imageSizesInNames) return bare;
  const [, quality = '', width, height, model] = IMAGE_NAME.exec(bare) ?? [];
  if (model) return `${quality}${width}x${height}/${model}`;
  return bare.includes('/') ? null : bare;
}

function whySkipped(
  name: string,
  model: string,
  { mode = '' }: SourceEntry,
  provider: string,
  entries: ReadonlyMap<string, SourceEntry>,
): string | null {
  if (MODES_WITHOUT_ROUTE.includes(mode)) return `there is no route for ${mode.replace('_', ' ')}`;
  const prefixed = `${provider}/${name}`;
  if (name === model && entries.has(prefixed)) return `${prefixed} is the same model`;
  return null;
}
