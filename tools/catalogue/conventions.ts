import { readFileSync } from 'node:fs';
import path from 'node:path';
import { Meter } from '@vendo/events';
import { z } from 'zod';

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
