import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { beforeAll, describe, expect, it } from '@jest/globals';
import { ERRORS } from '@vendo/errors';
import { EVENTS, METERS } from '@vendo/events';

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

describe('docs/metering.md', () => {
  const PROVIDERS = path.join(DOCS, '..', 'apps', 'gateway', 'src', 'providers');
  const meters = (cell: string) => cell.split(', ').map((name) => name.replaceAll('`', ''));
  const isOfMeters = ([first = '']: string[]) => meters(first).some((name) => METERS.some((m) => m === name));
  const rows = tableRows('metering.md').filter(isOfMeters);

  it('says of every meter what is charged without a final report, in one row', () =>
    expect(rows.flatMap(([first = '']) => meters(first)).sort()).toEqual([...METERS].sort()));

  /** `` `file`: "title", "title"; `file`: "title" `` */
  const named = rows.flatMap(([meter = '', , , tests = '']) =>
    tests.split('; `').flatMap((part) => {
      const [file = '', titles = ''] = part.replace(/^`/, '').split('`: ');
      return [...titles.matchAll(/"([^"]+)"/g)].map(([, title = '']) => ({ meter, file, title }));
    }),
  );

  it.each(rows)('names a test of %s', (meter) =>
    expect(named.filter((test) => test.meter === meter).length).toBeGreaterThan(0),
  );

  it.each(named)('names a test of $meter that is there: $file, "$title"', ({ file, title }) => {
    const spec = path.join(PROVIDERS, file);
    expect(existsSync(spec) && readFileSync(spec, 'utf8').includes(`'${title}',`)).toBe(true);
  });
});
