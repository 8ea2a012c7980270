import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { PROVIDERS, providerBySlug } from './registry.js';

const HERE = import.meta.dirname;
const FILES = ['models', 'provider', 'request', 'routes', 'spec', 'usage'];

describe('providers', () => {
  const folders = readdirSync(HERE, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => name);

  it('has a folder for each line of the registry, and a line for each folder', () =>
    expect(PROVIDERS.map(({ slug }) => slug).sort()).toEqual(folders.sort()));

  it.each(folders)('%s has the files that every provider has, and others only of its own', (slug) => {
    const files = readdirSync(join(HERE, slug));
    expect(files).toEqual(expect.arrayContaining(['fixtures', ...FILES.map((file) => `${slug}.${file}.ts`)]));
    expect(files.filter((file) => file !== 'fixtures' && !file.startsWith(`${slug}.`))).toEqual([]);
  });

  it('finds a provider by its slug only', () => {
    expect(providerBySlug('openai')?.upstream).toBe('https://api.openai.com');
    expect(providerBySlug('constructor')).toBeUndefined();
  });
});
