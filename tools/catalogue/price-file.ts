import type { CatalogueRow } from '@vendo/registry';
import { listPrices } from './list-prices.js';
import type { Origin, SourceEntry } from './source-file.js';

/** Our slug of a `litellm_provider`; entries of others are not ours. */
const PROVIDERS: Readonly<Record<string, string>> = {
  openai: 'openai',
  'text-completion-openai': 'openai',
  anthropic: 'anthropic',
  openrouter: 'openrouter',
  gemini: 'gemini',
  elevenlabs: 'elevenlabs',
  assemblyai: 'assemblyai',
};

const MODES_WITHOUT_ROUTE = ['realtime', 'video_generation'];
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
    const provider = PROVIDERS[entry.litellm_provider];
    if (!provider) file.others += 1;
    if (!provider || (options.provider && options.provider !== provider)) continue;
    const say = (text: string) => file.told.push({ provider, text: `${name}: ${text}` });
    const model = modelName(provider, name);
    const why = model === null ? 'is no name of a model' : whySkipped(name, model, entry, entries);
    const kept = byHand.find(
      (row) => row.provider === provider && row.model === model && row.effective_from <= options.date,
    );
    if (model === null || why) say(`skipped: ${why}`);
    else if (kept) say(`skipped: kept by hand (${kept.source})`);
    else if (!options.aliases && model.endsWith('-latest') && entry.mode !== 'moderation')
      say('skipped: what a -latest name stands for changes, and the file does not follow');
    else file.rows.push(...listPrices(name, entry, { provider, model }, options, say));
  }
  return file;
}

/** The name that the provider's API has for the model; null where the entry is none. */
function modelName(provider: string, name: string): string | null {
  if (provider !== 'openai') return name.startsWith(`${provider}/`) ? name.slice(provider.length + 1) : name;
  if (name === 'openai/container') return '*';
  const bare = name.replace(/^openai\//, '');
  const [, quality = '', width, height, model] = IMAGE_NAME.exec(bare) ?? [];
  if (model) return `${quality}${width}x${height}/${model}`;
  return bare.includes('/') ? null : bare;
}

function whySkipped(
  name: string,
  model: string,
  { mode = '' }: SourceEntry,
  entries: ReadonlyMap<string, SourceEntry>,
): string | null {
  if (MODES_WITHOUT_ROUTE.includes(mode)) return `there is no route for ${mode.replace('_', ' ')}`;
  if (name === model && entries.has(`gemini/${name}`)) return `gemini/${name} is the same model`;
  return null;
}
