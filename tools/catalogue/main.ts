import { writeFile } from 'node:fs/promises';
import { countsOf, makeCatalogue, writeCatalogue } from './catalogue.js';
import { readSource } from './source-file.js';

const [sourceFile, supplementFile, outFile = 'libs/pricing/catalogue/catalogue.json'] = process.argv.slice(2);
if (!sourceFile || !supplementFile) {
  console.error('usage: main.js <rates-source.json> <rates-supplement.json> [<out file>]');
  process.exit(1);
}

const rows = makeCatalogue(
  {
    entries: await readSource(sourceFile),
    date: '2026-08-01',
    source: 'BerriAI/litellm model_prices of 2026-08-01 (MIT)',
  },
  {
    entries: await readSource(supplementFile),
    date: '2026-11-10',
    source: '@earendil-works/pi-ai 1.5.2 of 2026-11-10 (MIT)',
  },
  console.log,
);
await writeFile(outFile, writeCatalogue(rows));
for (const line of countsOf(rows)) console.log(line);
