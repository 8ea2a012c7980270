import { describe, expect, it } from '@jest/globals';
import { providerBySlug } from './registry.js';

describe('the registry', () => {
  it('finds a provider by its slug only', () => {
    expect(providerBySlug('openai')?.upstream).toBe('https://api.openai.com');
    expect(providerBySlug('constructor')).toBeUndefined();
  });
});
