import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';

/** Files of a provider whose API is imagined: `__slug__`, `__SLUG__` and `__host__` stand for its own, also in their names. */
const TEMPLATE = 'tools/provider/template';

/** A wrong command line, told in one line. */
export class UsageError extends Error {}

export interface NewProvider {
  slug: string;
  /** Of the real API, without scheme. */
  host: string;
  /** YYYY-MM-DD, from when its prices count. */
  today: string;
}

/**
 * Writes the folders of a provider and its line in every place that lists providers: registries, prices, compose,
 * documents. Nothing is written when it is there already. Throws UsageError.
 * @param root of the repository.
 * @returns the files that were written or changed.
 */
export async function writeProvider(root: string, wanted: NewProvider): Promise<string[]> {
  const { slug, host } = wanted;
  if (!/^[a-z][a-z0-9]{1,30}$/.test(slug))
    throw new UsageError(`${slug}: a slug is small letters and digits`);
  if (!/^[a-z0-9-]+(\.[a-z0-9-]+)+$/.test(host)) throw new UsageError(`${host} is no host name`);
  const fill = (text: string): string =>
    text.replaceAll('__slug__', slug).replaceAll('__SLUG__', slug.toUpperCase()).replaceAll('__host__', host);
  const files = await Promise.all(
    (await templateFiles(path.join(root, TEMPLATE))).map(async (file) => ({
      file: fill(file).replace(/\.txt$/, ''),
      text: fill(await readFile(path.join(root, TEMPLATE, file), 'utf8')),
    })),
  );
  const taken = files.find(({ file }) => existsSync(path.join(root, file)));
  if (taken) throw new UsageError(`${taken.file} is there already`);
  const changes = await Promise.all(
    Object.entries(PLACES).map(async ([file, change]) => ({
      file,
      text: change(await readFile(path.join(root, file), 'utf8'), wanted),
    })),
  );
  for (const { file, text } of [...files, ...changes]) {
    await mkdir(path.dirname(path.join(root, file)), { recursive: true });
    await writeFile(path.join(root, file), text);
  }
  return [...files, ...changes].map(({ file }) => file).sort();
}

async function templateFiles(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => path.relative(folder, path.join(entry.parentPath, entry.name)));
}

type Change = (text: string, wanted: NewProvider) => string;

/** Every place outside its folders that lists providers. */
const PLACES: Readonly<Record<string, Change>> = {
  'apps/gateway/src/providers/registry.ts': (text, { slug }) =>
    withListed(withImport(text, slug, 'provider'), /^export const PROVIDERS\b.*\[$/m, slug),
  'apps/sandbox/src/upstreams.ts': (text, { slug }) =>
    withListed(withImport(text, slug, 'upstream'), /^export const UPSTREAMS\b.*\[$/m, slug),
  'libs/pricing/catalogue/by-hand.csv': (text, { slug, today }) =>
    (['input_tokens,0,1', 'output_tokens,0,3'] as const).reduce(
      (rows, price) =>
        withSorted(rows, `${slug},${slug}-small,standard,${price},1000000,${today},price list of ${slug},`),
      text,
    ),
  'docker-compose.yml': (text, { slug }) => {
    const [pool, url] = [`POOL_${slug.toUpperCase()}_API_KEY`, `UPSTREAM_${slug.toUpperCase()}_URL`];
    const withPool = behindLast(text, /^ +POOL_\w+_API_KEY: .*\n/gm, `    ${pool}: \${${pool}:-}\n`);
    return behindLast(withPool, /^ +UPSTREAM_\w+_URL: .*\n/gm, `    ${url}: \${${url}:-}\n`);
  },
  'docs/pricing.md': (text, { slug }) =>
    behindLast(text, /^\| [a-z]+ \| \d+ \| \d+ \| .*\n/gm, `| ${slug} | 1 | 2 | tokens |\n`),
  'apps/sandbox/README.md': (text, { slug }) =>
    behindLast(
      text,
      /^\| `[a-z]+` \| .* \| .*\/.*\n/gm,
      `| \`${slug}\` | \`Authorization: Bearer\` | \`/v1/generate\`, \`/v1/generate/models\` |\n`,
    ),
};

/** The import where the sorted imports have its place. */
function withImport(text: string, slug: string, part: string): string {
  const line = `import { ${slug} } from './${slug}/${slug}.${part}.js';\n`;
  const imports = [...text.matchAll(/^import .* from '(\.\/[^']+)';\n/gm)];
  const next = imports.find(([, from = '']) => from > `./${slug}/`);
  if (next?.index !== undefined) return text.slice(0, next.index) + line + text.slice(next.index);
  return behindLast(text, /^import .*;\n/gm, line);
}

function withListed(text: string, opening: RegExp, slug: string): string {
  const begin = text.search(opening);
  const end = text.indexOf('\n];', begin);
  if (begin < 0 || end < 0) throw new Error(`there is no list of providers to put ${slug} into`);
  return `${text.slice(0, end)}\n  ${slug},${text.slice(end)}`;
}

function withSorted(text: string, row: string): string {
  const [head = '', ...rows] = text.trimEnd().split('\n');
  return [head, ...[...rows, row].sort(), ''].join('\n');
}

function behindLast(text: string, line: RegExp, added: string): string {
  const last = [...text.matchAll(line)].at(-1);
  if (!last) throw new Error(`there is no line like ${line} to put ${added.trim()} behind`);
  const end = last.index + last[0].length;
  return text.slice(0, end) + added + text.slice(end);
}
