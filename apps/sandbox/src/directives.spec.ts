import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { behaviourOf, DIRECTIVES, NORMAL, PARTICULAR_DIRECTIVES } from './directives.js';

describe('behaviourOf', () => {
  it.each([
    ['gpt-4o', NORMAL],
    ['sandbox-chunks100-pace5', { ...NORMAL, chunks: 100, pace: 5 }],
    ['sandbox-status503', { ...NORMAL, status: 503 }],
    ['sandbox-gzip-die0', { ...NORMAL, gzip: true, die: 0 }],
  ])('%s', (model, behaviour) => expect(behaviourOf(model)).toEqual(behaviour));

  it.each([
    'sandbox-',
    'sandbox-chunk5',
    'sandbox-chunks',
    'sandbox-gzip1',
    'sandbox-status200',
    'sandbox-bytes99999999',
  ])('refuses %s', (model) => expect(behaviourOf(model)).toBeNull());

  it.each(Object.entries({ ...DIRECTIVES, ...PARTICULAR_DIRECTIVES }))(
    '%s is understood, and the README says what it does',
    (name, does) => {
      expect(behaviourOf(`sandbox-${name.replace('N', '404')}`)).not.toBeNull();
      const readme = readFileSync(join(import.meta.dirname, '../README.md'), 'utf8');
      expect(readme).toContain(`| \`${name}\` | ${does} |`);
    },
  );
});
