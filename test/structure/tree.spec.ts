import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from '@jest/globals';

const ROOT = path.join(import.meta.dirname, '..', '..');
const LINES_MAX = 400;

/** Everything that git would know: tracked files and new ones, without what it ignores. */
const FILES = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard'], { cwd: ROOT })
  .toString()
  .split('\n')
  .filter((file) => file !== '' && existsSync(path.join(ROOT, file)));
const SOURCES = FILES.filter((file) => /^(apps|libs|tools|test|bench)\/.*\.(ts|mts|mjs|sql)$/.test(file));

function read(file: string): string {
  return readFileSync(path.join(ROOT, file), 'utf8');
}

function rooms(): string[] {
  return ['apps', 'libs'].flatMap((kind) =>
    readdirSync(path.join(ROOT, kind)).map((name) => `${kind}/${name}`),
  );
}

describe('the tree', () => {
  it('has the layout that the architecture names', () => {
    const expected = ['apps/gateway', 'apps/ledger', 'apps/projector', 'apps/sandbox', 'docker-compose.yml'];
    const missing = [...expected, 'nest-cli.json', 'package.json', 'tsconfig.json'].filter(
      (file) => !existsSync(path.join(ROOT, file)),
    );
    expect(missing).toEqual([]);
  });

  it('names no folder or file after nothing in particular', () =>
    expect(
      FILES.filter((file) => /(^|\/)(utils?|common|helpers?|base|misc|shared)(\/|\.[a-z]+$)/i.test(file)),
    ).toEqual([]));

  it(`explains every file over ${LINES_MAX} lines in its first lines`, () => {
    const long = SOURCES.filter((file) => read(file).split('\n').length > LINES_MAX);
    expect(long.filter((file) => !/^(\/\*\*?|\/\/|--) .*(long|lines)/im.test(firstLines(file)))).toEqual([]);
  });

  it('has a sentence about every room', () => {
    const silent = rooms().filter(
      (room) => !existsSync(path.join(ROOT, room, 'README.md')) || read(`${room}/README.md`).trim() === '',
    );
    expect(silent).toEqual([]);
  });

  it('skips no test and runs none alone', () =>
    expect(
      SOURCES.filter((file) => /\.spec\.ts$/.test(file)).filter((file) =>
        /\b(it|test|describe)\.(only|todo)\b|\b(xit|fit|xdescribe|fdescribe)\(/.test(read(file)),
      ),
    ).toEqual([]));

  it('has no link in its documents that leads nowhere', () => {
    const broken = FILES.filter((file) => file.endsWith('.md')).flatMap((file) =>
      [...read(file).matchAll(/\]\((?!https?:|mailto:|#)([^)#\s]+)/g)]
        .map(([, target = '']) => target)
        .filter((target) => !existsSync(path.join(ROOT, path.dirname(file), target)))
        .map((target) => `${file} -> ${target}`),
    );
    expect(broken).toEqual([]);
  });
});

function firstLines(file: string): string {
  return read(file).split('\n').slice(0, 5).join('\n');
}
