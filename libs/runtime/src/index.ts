export { type BootOptions, type MainOptions, runMain, SAME_SIGNAL_MS, startApp } from './boot.js';
export { Clock, SystemClock } from './clock.js';
export { ConfigError, configFields, parseConfig } from './config.js';
export { Health } from './health.js';
export { createLogger, LOGGER, type Logger } from './logger.js';
export { Metrics } from './metrics.js';
export { migrate } from './migrate.js';
export { createPool, type PoolOptions } from './postgres.js';
export { RuntimeModule } from './runtime.module.js';
