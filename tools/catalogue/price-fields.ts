import type { Meter } from '@vendo/events';
import { Rational } from '@vendo/money';
import type { Conventions } from './conventions.js';
import type { SourceEntry } from './source-file.js';

/** What a price field of an entry says; `why` it is left out where it says nothing to us. */
export type PriceField =
  | { meter: Meter; tier: string; contextFrom: number; per: Rational; usd: Rational; note?: string }
  | { why: string };

const MILLION = Rational.of(1_000_000n);
const HOUR = Rational.of(3_600n);
const THOUSAND = Rational.of(1_000n);

/** Priced per token. */
const TOKEN_FIELDS: Readonly<Record<string, Meter>> = {
  input_cost_per_token: 'input_tokens',
  output_cost_per_token: 'output_tokens',
  cache_read_input_token_cost: 'cache_read_tokens',
  input_cost_per_token_cache_hit: 'cache_read_tokens',
  cache_creation_input_token_cost: 'cache_write_tokens',
  cache_creation_input_token_cost_above_1hr: 'cache_write_1h_tokens',
  output_cost_per_reasoning_token: 'reasoning_tokens',
  input_cost_per_audio_token: 'audio_input_tokens',
  output_cost_per_audio_token: 'audio_output_tokens',
  input_cost_per_image_token: 'image_input_tokens',
  output_cost_per_image_token: 'image_tokens',
};

/** A bound of a long prompt is a number of nine digits at most. */
const THOUSANDS_DIGITS = 6;
const FIELD = /^(.+?)(?:_above_(\d+)k_tokens)?(?:_(flex|priority|batches))?$/;
/** `hd/1024-x-1792/dall-e-3`: the size of the image stands in the entry's name. */
const IMAGE_SIZE = /(\d{2,5})-x-(\d{2,5})/;

/** Whether a field is about prices at all; the others are limits, abilities and notes. */
export function isPriceField(field: string): boolean {
  return /cost|multiplier/.test(field) && !/^(search_context_|regional_)/.test(field);
}

/** @param name of the entry in the file. */
export function readPriceField(
  name: string,
  entry: SourceEntry,
  conventions: Conventions,
  field: string,
  usd: unknown,
): PriceField {
  const [, base = '', thousands, variant] = FIELD.exec(field) ?? [];
  if (variant === 'batches') return { why: 'there is no batch route' };
  if (thousands && thousands.length > THOUSANDS_DIGITS) return { why: 'is for prompts that there are not' };
  if (!isPrice(usd)) return { why: 'is not a price' };
  const unit = unitOf(name, entry, conventions, base, usd);
  if ('why' in unit) return unit;
  const price = { usd, ...unit };
  if (isTooHigh(price)) return { why: TOO_HIGH };
  return {
    ...price,
    tier: variant ?? 'standard',
    contextFrom: thousands ? Number(thousands) * 1_000 + (conventions.longContextFromBound ? 0 : 1) : 0,
  };
}

/** Anything but a number that is not negative is none; a zero is looked at in its entry. */
export function isPrice(value: unknown): value is Rational {
  return value instanceof Rational && !value.isNegative();
}

/** What a line has as its unit (a million tokens, an hour, a picture, a search) never costs more: it is another unit, or a slip. */
export function isTooHigh({ usd, per }: { usd: Rational; per: Rational }): boolean {
  return usd.times(per).compare(THOUSAND) > 0;
}
export const TOO_HIGH = 'is more than anything costs';

type Unit = { meter: Meter; per: Rational; usd?: Rational; note?: string } | { why: string };

function unitOf(
  name: string,
  entry: SourceEntry,
  { imagesMadeAreInput }: Conventions,
  base: string,
  usd: Rational,
): Unit {
  const tokens = TOKEN_FIELDS[base];
  if (tokens) return { meter: tokens, per: MILLION };
  switch (`${entry.mode}: ${base}`) {
    case 'audio_speech: input_cost_per_character':
      return { meter: 'characters', per: MILLION };
    case 'audio_transcription: input_cost_per_second':
      return { meter: 'audio_seconds', per: HOUR };
    case 'audio_transcription: output_cost_per_second':
      return { why: 'a second of audio is charged once, as input' };
    case 'image_generation: input_cost_per_image':
      return imagesMadeAreInput ? perImage : { why: 'images put in count as tokens' };
    case 'image_generation: output_cost_per_image':
      return 'output_cost_per_image_token' in entry ? { why: 'the image is priced by its tokens' } : perImage;
    case 'image_generation: input_cost_per_pixel':
      return 'input_cost_per_image' in entry ? { why: 'the image is priced whole' } : perPixels(name, usd);
    default:
      return { why: 'no meter for it' };
  }
}

const perImage: Unit = { meter: 'images', per: Rational.ONE };

/** A pixel price is a rounded quotient of the price per image, which is in tenths of a cent. */
function perPixels(name: string, usd: Rational): Unit {
  const [, width, height] = IMAGE_SIZE.exec(name) ?? [];
  if (!width || !height) return { why: 'the size of the image is not known' };
  const exact = usd.times(Rational.of(BigInt(width) * BigInt(height)));
  const rounded = Rational.of(exact.times(THOUSAND).roundHalfEven()).dividedBy(THOUSAND);
  return { ...perImage, usd: rounded, note: 'derived: pixels x price to 0.001' };
}
