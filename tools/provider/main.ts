import { execFileSync } from 'node:child_process';
import { parseArgs } from 'node:util';
import { UsageError, writeProvider } from './new-provider.js';
import { followRecipe } from './recipe.js';
import { tryProvider } from './try-provider.js';

const USAGE = [
  'usage: npm run provider:new -- <slug> --host <host of its API>',
  '       npm run provider:try -- <slug> <path> <JSON body>',
  '       npm run test:recipe',
].join('\n');

async function main([task, ...args]: readonly string[]): Promise<void> {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: { host: { type: 'string' } },
  });
  const [slug, path, body] = positionals;
  const root = process.cwd();
  if (task === 'new' && slug && values.host) {
    const today = new Date().toISOString().slice(0, 10);
    const files = await writeProvider(root, { slug, host: values.host, today });
    // Where an import has its place depends on the name.
    execFileSync('node_modules/.bin/biome', ['check', '--write', ...files], { stdio: 'ignore' });
    for (const file of files) console.log(file);
  } else if (task === 'try' && slug && path && body) await tryProvider({ slug, path, body }, console.log);
  else if (task === 'recipe') await followRecipe(root, console.log);
  else throw new UsageError(USAGE);
}

try {
  await main(process.argv.slice(2));
} catch (thrown) {
  console.error(thrown instanceof UsageError ? thrown.message : thrown);
  process.exitCode = 1;
}
