/** A dated snapshot: `-2025-08-07`, `-20250807`, or `-0613` as older models have it. */
const SNAPSHOT = /-(\d{4}-\d{2}-\d{2}|20\d{6}|(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01]))$/;

/**
 * Names under which a model may be priced: as it is, without the `openai/` prefix, without its snapshot date.
 * A fine-tune `ft:base:org::id` is priced as `ft:base` or not at all, never as its cheaper base model. `-latest` is
 * part of the name: what it points to changes, and with it the price. For images by size see `sizedModel`.
 */
export function rateKeys(model: string): readonly string[] {
  const [, quality, size, sized] = SIZED.exec(model) ?? [];
  if (size !== undefined && sized !== undefined) return sizedKeys(model, quality, size, sized);
  const bare = model.startsWith('openai/') ? model.slice('openai/'.length) : model;
  const forms = bare.startsWith('ft:') ? [fineTuned(bare)] : [bare.replace(SNAPSHOT, '')];
  return [...new Set([model, bare, ...forms])];
}

function fineTuned(model: string): string {
  return model.split(':').slice(0, 2).join(':');
}

/** Image models that are billed by the image. */
const PER_IMAGE = /^(?:openai\/)?dall-e-/;
/** They have a price for each quality and size: `256x256/dall-e-2`, `hd/1024x1792/dall-e-3`. */
const SIZED = /^(?:([a-z]+)\/)?(\d+x\d+)\/([^/]+)$/;

export function isPerImage(model: string): boolean {
  return PER_IMAGE.test(model);
}

/** The name under which such a model's images of a quality and size are priced. Dall-e-2 knows one quality. */
export function sizedModel(model: string, { quality, size }: { quality: string; size: string }): string {
  const bare = model.replace(/^openai\//, '');
  return bare === 'dall-e-2' ? `${size}/${bare}` : `${quality}/${size}/${bare}`;
}

/** The plain name stands for its own size: dall-e-2's largest, dall-e-3's smallest. Above that it is no price. */
function sizedKeys(model: string, quality: string | undefined, size: string, bare: string): string[] {
  const isCovered = bare === 'dall-e-2' || (quality === 'standard' && size === '1024x1024');
  return isCovered ? [model, bare] : [model];
}

/** OpenAI's hosts that keep data in a region, `eu.api.openai.com`: newer models cost more there. */
const REGIONAL_HOST = /^[a-z]{2}\.api\.openai\.com$/;

/** A place counts in every tier: `regional`, `flex_regional`. Null: the host has no prices of its own. */
export function tierAt(host: string, tier: string): string | null {
  if (!REGIONAL_HOST.test(host)) return null;
  return tier === 'standard' ? 'regional' : `${tier}_regional`;
}

/** A service tier as rates name it; null where OpenAI leaves it open (`auto` is the project's setting). */
export function billedTier(reported: string | null): string | null {
  if (reported === null || reported === 'auto') return null;
  return tierName(reported);
}

/** The tier that a request asks for, as rates name it. `scale` is prepaid capacity, so tokens count at the list price. */
export function requestedTier(asked: string | null | undefined): string {
  return asked === null || asked === undefined || asked === 'auto' ? 'standard' : tierName(asked);
}

function tierName(tier: string): string {
  switch (tier) {
    case 'default':
    case 'scale':
      return 'standard';
    case 'fast':
      return 'priority';
    default:
      return tier;
  }
}
