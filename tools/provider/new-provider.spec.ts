import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { UsageError, writeProvider } from './new-provider.js';
import { commandsIn } from './recipe.js';

const ROOT = path.join(import.meta.dirname, '..', '..');
const NEW = { slug: 'tenth', host: 'api.tenth.example', today: '2026-01-01' };

/** What git sees of changes; a refused provider must change none. */
const changes = (): string => execFileSync('git', ['status', '--porcelain'], { cwd: ROOT, encoding: 'utf8' });

describe('a new provider', () => {
  it.each([
    ['a slug that is no name in code', { slug: 'te-nth' }, 'small letters'],
    ['a slug in capitals', { slug: 'Tenth' }, 'small letters'],
    ['a host with a scheme', { host: 'https://api.tenth.example' }, 'no host name'],
    ['a host with a path', { host: 'api.tenth.example/v1' }, 'no host name'],
    ['a slug that is taken', { slug: 'openai' }, 'is there already'],
  ])('is refused with %s, and nothing is written', async (_, wrong, words) => {
    const before = changes();
    const writing = writeProvider(ROOT, { ...NEW, ...wrong });
    await expect(writing).rejects.toThrow(words);
    await expect(writing).rejects.toThrow(UsageError);
    expect(changes()).toBe(before);
  });
});

describe('the recipe', () => {
  it('is what stands in blocks of shell, in their order, and nothing else', () =>
    expect(
      commandsIn('# A\n\n```sh\none\ntwo\n```\n\n```json\n{}\n```\n\n`x`\n\n```sh\nthree\n```\n'),
    ).toEqual(['one\ntwo', 'three']));

  it('makes a provider, tests it and calls it', () =>
    expect(commandsIn(readFileSync(path.join(ROOT, 'docs/adding-a-provider.md'), 'utf8'))).toEqual([
      expect.stringMatching(/^npm run provider:new -- /),
      expect.stringMatching(/^npm test -- .*test\/structure\/providers /),
      expect.stringMatching(/^npm run provider:try -- /),
    ]));
});
