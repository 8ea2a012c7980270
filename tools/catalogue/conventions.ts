import { readFileSync } from 'node:fs';
import path from 'node:path';
import { Meter } from '@vendo/events';
import { Rational } from '@vendo/money';
import { z } from 'zod';

const Pattern = z.string().transform((pattern) => new RegExp(pattern));
const Factors = z.record(
  z.string(),
  z.string().transform((text) => Rational.parse(text)),
);

/** Tiers that the provider states as factors on its standard prices. */
const TierRule = z.strictObject({
  /** Which models have them: what is stated of a generation holds for the newer ones. */
  models: Pattern,
  /** How fast a call is served. */
  paces: Factors.default({}),
  /** Where it is; a place counts in every pace. */
  places: Factors.default({}),
});
type TierRule = z.infer<typeof TierRule>;

/** A tool that costs some models something else than what the catalogue has for all models of their provider. */
const ToolRule = z.strictObject({
  models: Pattern,
  meter: Meter,
  /** Of one use, where the model has no price of its own. */
  usd: z.string().transform((text) => Rational.parse(text)),
  /** In which a call may be billed. */
  tiers: z.array(z.string()).min(1),
});
type ToolRule = z.infer<typeof ToolRule>;

/** How a price file writes the prices of one of our providers; data, `providers.json`. */
const Conventions = z.strictObject({
  /** Its `litellm_provider`s. */
  entries: z.array(z.string()).min(1),
  /** Names in the file that are no model's, and the model whose price they are. */
  models: z.record(z.string(), z.string()).default({}),
  /** An image model's name may have quality and size before it; other names with a slash are no model's. */
  imageSizesInNames: z.boolean().default(false),
  /** The image that is made is priced as if it were put in. */
  imagesMadeAreInput: z.boolean().default(false),
  /** A long-context price begins at its bound; default: above it. */
  longContextFromBound: z.boolean().default(false),
  /** A cache write for one hour costs twice the input, whatever the file says. */
  cacheWrite1hIsTwiceInput: z.boolean().default(false),
  /** Models with one input price for sound as well, where the file names none for it. */
  audioAtInputPrice: z.array(z.string()).default([]),
  /** What a file of standard prices leaves out. */
  tiers: z.array(TierRule).default([]),
  /** What such a file leaves out of the tools of older models. */
  tools: z.array(ToolRule).default([]),
  /** The end of the name of a dated snapshot; before it stands the alias. */
  snapshots: Pattern.optional(),
  /** Tools that are free beyond their tokens. */
  freeTools: z.array(Meter).default([]),
});
export type Conventions = z.infer<typeof Conventions> & { provider: string };

const FILE = z
  .record(z.string(), Conventions)
  .parse(JSON.parse(readFileSync(path.join(import.meta.dirname, 'providers.json'), 'utf8')));
const BY_ENTRY = new Map(
  Object.entries(FILE).flatMap(([provider, conventions]) =>
    conventions.entries.map((entry) => [entry, { provider, ...conventions }] as const),
  ),
);

/** Null: an entry of a provider that is not ours. */
export function conventionsOf(litellmProvider: string): Conventions | null {
  return BY_ENTRY.get(litellmProvider) ?? null;
}

/** What is no chat has prices of its own, whatever generation it is of. */
const NO_CHAT = /-(image|audio|tts|transcribe|search|live)\b/;

/** The rules of the tiers of a model. */
export function tierRulesOf(provider: string, model: string): readonly TierRule[] {
  if (NO_CHAT.test(model)) return [];
  return FILE[provider]?.tiers.filter(({ models }) => models.test(model)) ?? [];
}

export function toolRulesOf(provider: string, model: string): readonly ToolRule[] {
  return FILE[provider]?.tools.filter(({ models }) => models.test(model)) ?? [];
}

/** The alias of a dated snapshot; null: it is none. */
export function aliasOf(provider: string, model: string): string | null {
  const date = FILE[provider]?.snapshots;
  return date?.test(model) ? model.replace(date, '') : null;
}
