import { readFileSync } from 'node:fs';
import path from 'node:path';
import { beforeAll, describe, expect, it } from '@jest/globals';
import { ERRORS } from '@vendo/errors';
import { EVENTS } from '@vendo/events';

const DOCS = path.join(import.meta.dirname, '..', '..', 'docs');

function tableRows(document: string): string[][] {
  return readFileSync(path.join(DOCS, document), 'utf8')
    .split('\n')
    .filter((line) => line.startsWith('|'))
    .map((line) =>
      line
        .split('|')
        .slice(1, -1)
        .map((cell) => cell.trim()),
    );
}

describe('docs/errors.md', () => {
  let rows: string[][] = [];
  beforeAll(() => {
    rows = tableRows('errors.md');
  });

  it.each(Object.entries(ERRORS))(
    'has a row of %s with its status and whether the header is sent',
    (code, { status, header }) => {
      const row = rows.find(([first]) => first === `\`${code}\``);
      expect(row?.slice(1, 3)).toEqual([String(status), header ? 'yes' : 'no']);
    },
  );

  it('names no code that does not exist', () => {
    const codes = rows
      .map(([first = '']) => /^`([a-z_]+)`$/.exec(first)?.[1])
      .filter((code) => code !== undefined);
    expect(codes.filter((code) => !Object.hasOwn(ERRORS, code))).toEqual([]);
  });
});

describe('the traps of docs/metering.md', () => {
  const traps = tableRows('metering.md').filter(([, file = '']) => file.endsWith('.spec.ts`'));

  it('are all there', () => expect(traps.length).toBeGreaterThanOrEqual(23));

  it.each(traps)('%s: %s says it', (_, file = '', says) => {
    const spec = path.join(DOCS, '..', 'apps/gateway/src/providers', file.replaceAll('`', ''));
    expect(readFileSync(spec, 'utf8')).toContain(says);
  });
});

describe('docs/events.md', () => {
  const text = readFileSync(path.join(DOCS, 'events.md'), 'utf8');

  it.each(Object.keys(EVENTS))('tells of %s', (type) => expect(text).toContain(`\`${type}\``));

  it('names no event that does not exist', () => {
    const named = [...text.matchAll(/`([A-Z][A-Za-z]+\.v\d+)`/g)].map(([, type = '']) => type);
    expect(named.filter((type) => !Object.hasOwn(EVENTS, type))).toEqual([]);
  });
});
