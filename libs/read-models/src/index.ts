export {
  type ChargeRow,
  type ChargeWithoutUsage,
  noteChargesWithoutUsage,
  type OverdueCharges,
  overdueCharges,
} from './charges-without-usage.js';
export { type Checkpoint, loadCheckpoint, moveCheckpoint } from './checkpoints.js';
export { decodeCursor, type EventsCursor, encodeCursor } from './events-cursor.js';
export { migrateReadModels } from './migrate-read-models.js';
export { type ParkedRow, park, parkedTenants } from './parked.js';
export {
  type ParkedProjection,
  ReadModels,
  type Usage,
  type UsageEvent,
  type UsagePeriod,
  type UsageRow,
  type UsageScope,
  type WalletBalance,
} from './read-models.js';
export { ReadModelsModule } from './read-models.module.js';
export { addToRollups, insertUsageEvents } from './usage-writes.js';
export {
  type BalanceRow,
  type EntryRow,
  insertEntries,
  storeBalances,
  storeWindows,
  type WindowRow,
} from './wallet-writes.js';
