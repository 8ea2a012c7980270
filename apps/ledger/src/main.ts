import { runMain, startApp } from '@vendo/runtime';
import { ledgerConfig } from './config.js';
import { LedgerModule } from './ledger.module.js';

runMain(() => {
  const config = ledgerConfig();
  return startApp({ module: LedgerModule.from(config), host: config.LEDGER_HOST, port: config.LEDGER_PORT });
});
