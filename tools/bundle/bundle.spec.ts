import { readFileSync } from 'node:fs';
import { SourceMap } from 'node:module';
import path from 'node:path';
import { describe, expect, it } from '@jest/globals';

const DIST = path.resolve('dist');

describe.each(['gateway', 'ledger', 'projector', 'sandbox', 'standalone'])('the file of the %s', (name) => {
  const lines = readFileSync(path.join(DIST, `${name}.js`), 'utf8').split('\n');
  const map = new SourceMap(JSON.parse(readFileSync(path.join(DIST, `${name}.js.map`), 'utf8')));

  /** Each module that begins with a function or class, by the path in esbuild's comment; undefined: the map says nothing. */
  function sourcesOf(modules: RegExp): (readonly [module: string, source: string | undefined])[] {
    return lines.flatMap((line, at) => {
      const module = modules.exec(line)?.[1];
      if (module === undefined || !/^(?:async )?(?:function|class) [a-z]/i.test(lines[at + 1] ?? ''))
        return [];
      const entry = map.findEntry(at + 1, 0);
      return [[module, 'originalSource' in entry ? entry.originalSource : undefined] as const];
    });
  }

  it('says where our modules are from', () => {
    const found = sourcesOf(/^\/\/ dist\/(.*)\.js$/);
    expect(found.length).toBeGreaterThan(0);
    for (const [module, source] of found) expect(source).toBe(`../${module}.ts`);
  });

  it('says of packages nothing, for that takes long to read', () => {
    const found = sourcesOf(/^\/\/ (node_modules\/.*)$/);
    if (name !== 'standalone') expect(found.length).toBeGreaterThan(10);
    for (const [, source] of found) expect(source).toBeUndefined();
  });
});
