import { importRates, readCommand, UsageError } from './rates-command.js';

const CATALOGUE = 'libs/pricing/catalogue';

try {
  const today = new Date().toISOString().slice(0, 10);
  await importRates(readCommand(process.argv.slice(2), today), CATALOGUE, console.log);
} catch (thrown) {
  console.error(thrown instanceof UsageError ? thrown.message : `failed: ${(thrown as Error).message}`);
  process.exitCode = 1;
}
