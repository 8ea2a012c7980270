export { type EventLogConfig, eventLogConfig } from './config.js';
export * from './event-log.js';
export { EventLogModule, openEventLog } from './event-log.module.js';
export { migrateLog } from './migrate-log.js';
