import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { PROVIDERS, providerBySlug } from './registry.js';

const HERE = import.meta.dirname;
const FILES = ['provider', 'routes', 'spec'];
/** What only a provider has that bills. */
const METERED_FILES = ['models', 'request', 'usage'];

function filesOf(slug: string): string[] {
  const isMetered = providerBySlug(slug)?.routes.some((route) => route.class === 'metered');
  return isMetered ? [...FILES, ...METERED_FILES] : FILES;
}

describe('providers', () => {
  const folders = readdirSync(HERE, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => name);

  it('has a folder for each line of the registry, and a line for each folder', () =>
    expect(PROVIDERS.map(({ slug }) => slug).sort()).toEqual(folders.sort()));

  it.each(folders)('%s has the files that every provider has', (slug) =>
    expect(readdirSync(join(HERE, slug)).sort()).toEqual(
      ['fixtures', ...filesOf(slug).map((file) => `${slug}.${file}.ts`)].sort(),
    ),
  );

  it('finds a provider by its slug only', () => {
    expect(providerBySlug('openai')?.upstream).toBe('https://api.openai.com');
    expect(providerBySlug('constructor')).toBeUndefined();
  });
});
