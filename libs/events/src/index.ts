export * from './envelope.js';
export * from './gateway-events.js';
export * from './ledger-events.js';
export * from './shard.js';
