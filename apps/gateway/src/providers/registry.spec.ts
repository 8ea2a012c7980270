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

  it.each(folders)('%s has the files that every provider has, and topics beside them', (slug) => {
    const files = readdirSync(join(HERE, slug)).filter((file) => file !== 'fixtures');
    const parts = files.map((file) => new RegExp(`^${slug}\\.([a-z-]+)(\\.spec)?\\.ts$`).exec(file));
    expect(files.filter((_, index) => parts[index] === null)).toEqual([]);
    const topics = parts.flatMap((found) => (found?.[1] && !found[2] ? [found[1]] : []));
    expect(topics).toEqual(expect.arrayContaining(filesOf(slug)));
    const specs = parts.flatMap((found) => (found?.[1] && found[2] ? [found[1]] : []));
    expect(specs.filter((topic) => !topics.includes(topic))).toEqual([]);
    expect(readdirSync(join(HERE, slug))).toContain('fixtures');
  });

  it('finds a provider by its slug only', () => {
    expect(providerBySlug('openai')?.upstream).toBe('https://api.openai.com');
    expect(providerBySlug('constructor')).toBeUndefined();
  });
});
