export { changesByTenant, watchChanges } from './changes.js';
export {
  type ChargeRow,
  type ChargeWithoutUsage,
  noteChargesWithoutUsage,
  type OverdueCharges,
  overdueCharges,
} from './charges-without-usage.js';
export {
  type Checkpoint,
  holdCheckpoint,
  loadCheckpoint,
  moveCheckpoint,
  type Place,
  rebuildLimit,
} from './checkpoints.js';
export { Comparison, type Difference, reportOf } from './comparison.js';
export type { Estimate, EstimateEvidence, EstimatesFilter, EstimateTotal } from './estimates.js';
export { decodeCursor, type EventsCursor, encodeCursor } from './events-cursor.js';
export {
  acceptRebuild,
  beginGenerations,
  beginIn,
  blockRebuild,
  dropGeneration,
  dropRebuild,
  endWatch,
  followedGenerations,
  type Generation,
  generationsOf,
  inTransaction,
  type ReadModelTable,
  RebuildError,
  startRebuild,
} from './generations.js';
export { connectionName, Leases } from './leases.js';
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
export {
  keepParked,
  type ParkedRecord,
  parkedSequence,
  passReplayOn,
  type ReplayRequest,
  replayRequests,
  unpark,
} from './replays.js';
export { REBUILD_SETTINGS, swapGenerations } from './swap.js';
export { addCorrections, addToRollups, insertUsageEvents, USAGE_TABLES } from './usage-writes.js';
export {
  type BalanceRow,
  type EntryRow,
  insertEntries,
  storeBalances,
  storeWindows,
  WALLET_TABLES,
  type WindowRow,
} from './wallet-writes.js';
