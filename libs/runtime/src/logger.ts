import pino from 'pino';

/** One JSON line per event on stdout. Never hand it a header map, a body, a key or a credential: it prints what it gets. */
export type Logger = Pick<pino.Logger, 'debug' | 'info' | 'warn' | 'error' | 'fatal'>;

/** DI token of the app's logger. */
export const LOGGER = Symbol('Logger');

/** @param level pino's level names; `silent` for tests. */
export function createLogger(app: string, level = 'info'): Logger {
  return pino({
    level,
    base: { app, pid: process.pid },
    timestamp: pino.stdTimeFunctions.isoTime,
    messageKey: 'msg',
    formatters: { level: (label) => ({ level: label }) },
  });
}
