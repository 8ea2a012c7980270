import { describe, expect, it } from '@jest/globals';
import { providerBySlug } from './registry.js';

describe('the registry', () => {
  it('finds a provider by its slug only', () => {
    expect(providerBySlug('openai')?.upstream).toBe('https://api.openai.com');
    expect(providerBySlug('constructor')).toBeUndefined();
  });

  it.each([
    ['openai', 1_000_000n],
    ['anthropic', 1_000_000n],
    ['openrouter', 1_000_000n],
    ['gemini', 1_000_000n],
    ['composio', 1_000_000n],
    ['elevenlabs', 500_000n],
    ['muapi', 500_000n],
    ['assemblyai', 200_000n],
    ['telegram', 0n],
  ])('holds for one call of %s at most %s micro-USD', (slug, ceiling) =>
    expect(providerBySlug(slug)?.holdCeiling).toBe(ceiling),
  );
});
