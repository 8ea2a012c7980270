export * from './ledger-client.js';
export * from './schemas.js';
