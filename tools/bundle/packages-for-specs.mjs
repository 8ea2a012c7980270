import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readFile, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { build } from 'esbuild';
import { packages, SURROUNDINGS } from './bundling.mjs';

const ROOT = path.resolve(import.meta.dirname, '..', '..');
/** Of many modules each. Those that know each other's insides stand together, or there would be two of each. */
const PACKAGES = [
  ...['@nestjs/common', '@nestjs/core', '@nestjs/cqrs', '@nestjs/platform-fastify', '@nestjs/testing'],
  ...['typeorm', 'zod', 'zod-openapi', 'pino', 'jose', 'fast-check', '@fastify/rate-limit'],
];

/**
 * What Jest's `moduleNameMapper` needs to load these packages from a few files: it loads every module anew for each spec,
 * and as they come they have 2,000. Made once per package-lock.json, under `var/packages`.
 */
export async function packagesForSpecs() {
  const decisive = [
    path.join(ROOT, 'package-lock.json'),
    import.meta.filename,
    path.join(import.meta.dirname, 'bundling.mjs'),
  ];
  const made = await Promise.all(decisive.map((file) => readFile(file)));
  const version = createHash('sha256').update(Buffer.concat(made)).digest('hex').slice(0, 12);
  const folder = path.join(ROOT, 'var', 'packages', version);
  if (!existsSync(folder)) await make(folder);
  return Object.fromEntries(PACKAGES.map((name) => [`^${name}$`, path.join(folder, `${name}.mjs`)]));
}

/** Whole or not at all, whoever else does the same. */
async function make(folder) {
  const unfinished = `${folder}.${process.pid}`;
  await build({
    entryPoints: PACKAGES.map((name) => ({ in: `exports of ${name}`, out: name })),
    absWorkingDir: ROOT,
    outdir: unfinished,
    outExtension: { '.js': '.mjs' },
    bundle: true,
    splitting: true,
    platform: 'node',
    format: 'esm',
    keepNames: true,
    banner: { js: SURROUNDINGS },
    plugins: [exportsByName, packages()],
    logLevel: 'warning',
  });
  await rename(unfinished, folder).catch(() => rm(unfinished, { recursive: true, force: true }));
}

/** What a package exports, by the names that Node sees: those of CommonJS are known when it has run. */
const exportsByName = {
  name: 'exports by name',
  setup(bundler) {
    bundler.onResolve({ filter: /^exports of / }, ({ path: entry }) => ({
      path: entry.replace('exports of ', ''),
      namespace: 'exports',
    }));
    bundler.onLoad({ filter: /./, namespace: 'exports' }, async ({ path: name }) => {
      const names = Object.keys(await import(name)).filter((each) => each !== 'module.exports');
      return { contents: `export { ${names.join(', ')} } from '${name}';`, resolveDir: ROOT };
    });
  },
};
