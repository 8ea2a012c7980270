import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { decode, encode } from '@jridgewell/sourcemap-codec';
import { build } from 'esbuild';
import { packages, SURROUNDINGS } from './bundling.mjs';

const ROOT = path.resolve(import.meta.dirname, '..', '..');
const DIST = path.join(ROOT, 'dist');
const { dependencies } = JSON.parse(await readFile(path.join(ROOT, 'package.json'), 'utf8'));
/** What runs as processes of their own: `dist/<name>.js`. */
const PROCESSES = {
  gateway: 'apps/gateway/src/main.js',
  ledger: 'apps/ledger/src/main.js',
  projector: 'apps/projector/src/main.js',
  sandbox: 'apps/sandbox/src/main.js',
  standalone: 'tools/standalone/main.js',
};

/** What serves tests and `npm start` alone is loaded where it is used. */
const productOnly = packages((name, importer) => isOurs(importer) && !(name in dependencies));

/** Modules of ours read files beside them, which stay where they are. */
const placesOfModules = {
  name: 'places of modules',
  setup(bundler) {
    bundler.onLoad({ filter: /\.js$/ }, async ({ path: file }) => {
      if (!isOurs(file)) return null;
      const place = (where) =>
        `bundledPath.join(import.meta.dirname, ${JSON.stringify(path.relative(DIST, where))})`;
      const contents = (await readFile(file, 'utf8'))
        .replaceAll('import.meta.dirname', place(path.dirname(file)))
        .replaceAll('import.meta.filename', place(file));
      return { contents };
    });
  },
};

function isOurs(file) {
  return file.startsWith(DIST + path.sep);
}

/** Says of packages only where they begin and end: reading the whole map takes longer than the rest of a start. */
function mapOfOurs(text) {
  const map = JSON.parse(text);
  const isPackage = map.sources.map((source) => source.includes('node_modules/'));
  let within = false;
  const lines = decode(map.mappings).map((line) =>
    line.flatMap((segment) => {
      const before = within;
      within = isPackage[segment[1]];
      if (!within) return [segment.slice(0, 4)];
      return before ? [] : [[segment[0]]];
    }),
  );
  return JSON.stringify({ ...map, names: [], mappings: encode(lines) });
}

/**
 * Puts each process of the product into one file: most of the time that it takes to start goes into finding and reading
 * some 2,000 modules. It reads what swc has compiled, because Nest needs the types of decorators.
 */
const { outputFiles } = await build({
  entryPoints: Object.entries(PROCESSES).map(([out, main]) => ({ in: path.join(DIST, main), out })),
  outdir: DIST,
  write: false,
  bundle: true,
  platform: 'node',
  target: 'node20.11',
  format: 'esm',
  keepNames: true,
  sourcemap: true,
  sourcesContent: false,
  banner: { js: SURROUNDINGS },
  plugins: [productOnly, placesOfModules],
  logLevel: 'warning',
});
await Promise.all(
  outputFiles.map(({ path: file, text }) => writeFile(file, file.endsWith('.map') ? mapOfOurs(text) : text)),
);
