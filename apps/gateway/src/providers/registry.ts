import { anthropic } from './anthropic/anthropic.provider.js';
import { assemblyai } from './assemblyai/assemblyai.provider.js';
import { composio } from './composio/composio.provider.js';
import { elevenlabs } from './elevenlabs/elevenlabs.provider.js';
import { gemini } from './gemini/gemini.provider.js';
import { muapi } from './muapi/muapi.provider.js';
import { openai } from './openai/openai.provider.js';
import { openrouter } from './openrouter/openrouter.provider.js';
import type { Provider } from './provider.js';
import { telegram } from './telegram/telegram.provider.js';

/** Every provider that calls can be proxied to. Adding one is a folder and a line here. */
export const PROVIDERS: readonly Provider[] = [
  openai,
  anthropic,
  openrouter,
  gemini,
  elevenlabs,
  assemblyai,
  muapi,
  composio,
  telegram,
];

const BY_SLUG: ReadonlyMap<string, Provider> = new Map(PROVIDERS.map((one) => [one.slug, one]));

/** The provider of `{slug}-proxy.<domain>` or `/proxy/{slug}`; undefined when there is none. */
export function providerBySlug(slug: string): Provider | undefined {
  return BY_SLUG.get(slug);
}
