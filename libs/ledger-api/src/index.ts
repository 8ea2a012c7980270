export * from './ledger-client.js';
export { type LedgerClientConfig, LedgerClientModule } from './ledger-client.module.js';
export * from './schemas.js';
