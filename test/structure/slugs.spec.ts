import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from '@jest/globals';
import ts from 'typescript';
import { PROVIDERS } from '../../apps/gateway/src/providers/registry.js';
import { UPSTREAMS } from '../../apps/sandbox/src/upstreams.js';

const ROOT = path.join(import.meta.dirname, '..', '..');
const SLUGS = [...new Set([...PROVIDERS, ...UPSTREAMS].map(({ slug }) => slug))];
/** Also inside of a word and in capitals (`POOL_OPENAI_API_KEY`); a name in prose has another spelling (OpenAI). */
const SLUG = new RegExp([...SLUGS, ...SLUGS.map((slug) => slug.toUpperCase())].join('|'));

/**
 * A provider's own folders: what it is called there, and which names its wire has (`/v1beta/openai/` is a path of
 * Gemini's), is theirs to say; but they know no other provider's folder.
 */
const OWN_FOLDER = /^apps\/(?:gateway\/src\/providers|sandbox\/src)\/([a-z0-9]+)\//;

/** Files that may name providers, and why. */
const EXEMPT: Readonly<Record<string, string>> = {
  'apps/gateway/src/providers/registry.ts': 'the registry',
  'apps/sandbox/src/upstreams.ts': 'the registry of the stand-ins',
  'libs/events/src/gateway-events.ts': 'the public contract names the meter composio.action_call',
};
/** What only specs use: contracts and the stands that they share. */
const FOR_SPECS = /\.(?:spec|contract)\.ts$|\/memory\.proxy-[a-z]+\.ts$/;

/** Code, as data has its own place: the catalogue (CSV), a file's conventions and the demo (JSON), compose, docs. */
const SOURCES = ['apps', 'libs', 'tools'].flatMap((room) =>
  readdirSync(path.join(ROOT, room), { recursive: true, encoding: 'utf8' })
    .map((file) => path.join(room, file))
    .filter((file) => /\.(?:ts|mts|mjs|sql)$/.test(file) && !FOR_SPECS.test(file)),
);

/** Literals of a file that name a provider: strings, templates, patterns, keys; of a provider's own file what it imports. */
function slugsIn(file: string, text = readFileSync(path.join(ROOT, file), 'utf8')): string[] {
  if (!SLUG.test(text)) return [];
  if (file.endsWith('.sql')) return [text.replace(/--.*/g, '')].filter((sql) => SLUG.test(sql));
  const source = ts.createSourceFile(file, text, ts.ScriptTarget.Latest);
  const [, own] = OWN_FOLDER.exec(file) ?? [];
  if (own !== undefined)
    return importsOf(source).filter((from) => SLUGS.some((slug) => from.startsWith(`../${slug}/`)));
  return literalsOf(source).filter((literal) => SLUG.test(literal));
}

function importsOf(source: ts.SourceFile): string[] {
  return source.statements.flatMap((statement) =>
    ts.isImportDeclaration(statement) && ts.isStringLiteral(statement.moduleSpecifier)
      ? [statement.moduleSpecifier.text]
      : [],
  );
}

function literalsOf(source: ts.SourceFile): string[] {
  const found: string[] = [];
  const visit = (node: ts.Node): void => {
    if (ts.isLiteralExpression(node) || ts.isTemplateMiddleOrTemplateTail(node) || ts.isTemplateHead(node))
      found.push(node.text);
    else if (ts.isPropertyAssignment(node) && ts.isIdentifier(node.name)) found.push(node.name.text);
    ts.forEachChild(node, visit);
  };
  visit(source);
  return found;
}

describe('the slug of a provider', () => {
  it('stands in no literal outside its folders and the registries', () => {
    const found = SOURCES.filter((file) => !Object.hasOwn(EXEMPT, file)).flatMap((file) =>
      slugsIn(file).map((literal) => `${file}: ${literal}`),
    );
    expect(found).toEqual([]);
  });

  it('is an exception only where one is', () =>
    expect(Object.keys(EXEMPT).filter((file) => slugsIn(file).length === 0)).toEqual([]));

  it.each([
    ['a string', "if (slug === 'openai') x();"],
    ['a header', "const h = ['openai-organization'];"],
    ['a key', 'const t = { openai: 1 };'],
    ['a template', `const t = \`/proxy/openai/\${1}\`;`],
    ['a later part of one', `const t = \`\${1}/openai\`;`],
    ['a pattern', 'const t = /^openai/;'],
    ['an import', "import { openai } from '../openai/openai.usage.js';"],
    ['an environment variable', "const t = 'POOL_OPENAI_API_KEY';"],
    ['a type', "type T = 'openai' | 'other';"],
  ])('is found in %s', (_, text) => expect(slugsIn('apps/gateway/src/x.ts', text)).toHaveLength(1));

  it('is found in SQL', () => {
    expect(slugsIn('libs/x.sql', "CHECK (provider = 'openai')")).toHaveLength(1);
    expect(slugsIn('libs/x.sql', '-- openai')).toEqual([]);
  });

  it("of one provider is what another's folder does not import", () => {
    const text = "import { read } from '../openai/openai.usage.js'; const path = '/v1beta/openai/models';";
    for (const folder of ['apps/gateway/src/providers', 'apps/sandbox/src'])
      expect(slugsIn(`${folder}/gemini/x.ts`, text)).toEqual(['../openai/openai.usage.js']);
  });

  it('is no name in prose or in a comment', () =>
    expect(slugsIn('apps/gateway/src/x.ts', "/** openai */ const t = 'OpenAI and Telegram';")).toEqual([]));
});
