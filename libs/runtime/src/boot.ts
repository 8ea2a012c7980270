import type { DynamicModule, Type } from '@nestjs/common';
import type { FastifyAdapter, NestFastifyApplication } from '@nestjs/platform-fastify';
import { VendoErrorFilter } from '@vendo/errors';
import { ConfigError } from './config.js';
import { LOGGER, type Logger } from './logger.js';

export interface BootOptions {
  module: Type | DynamicModule;
  host: string;
  /** 0 takes a free port. */
  port: number;
  /** Largest JSON body of the Nest routes, bytes. */
  bodyLimit?: number;
  /** Given when the app answers some requests before Nest sees them. */
  adapter?: FastifyAdapter;
  /** Called before listening: CORS, hooks and the like. */
  prepare?: (app: NestFastifyApplication) => void | Promise<void>;
}

/** Builds and starts a Nest app on Fastify with the one error filter. Modules end their work in `OnApplicationShutdown`. */
export async function startApp(options: BootOptions): Promise<NestFastifyApplication> {
  // 400 modules, which whoever wants a pool or a clock of this room and starts no app does not load.
  const [{ NestFactory }, { FastifyAdapter }] = await Promise.all([
    import('@nestjs/core'),
    import('@nestjs/platform-fastify'),
  ]);
  const adapter = options.adapter ?? new FastifyAdapter({ bodyLimit: options.bodyLimit ?? 1_048_576 });
  const app = await NestFactory.create<NestFastifyApplication>(options.module, adapter, {
    logger: ['error', 'fatal'],
    abortOnError: false,
  });
  const logger = app.get<Logger>(LOGGER);
  app.useGlobalFilters(new VendoErrorFilter((thrown) => logger.error({ err: thrown }, 'unexpected error')));
  await options.prepare?.(app);
  await app.listen(options.port, options.host);
  logger.info({ url: await app.getUrl() }, 'listening');
  return app;
}

export interface MainOptions {
  /** Milliseconds after which a stop that has not ended is a failure. */
  closeWithinMs?: number;
  /** Told a second signal: what the stop waits for is to be cut short. */
  hurry?: (app: NestFastifyApplication) => void;
}

/** npm passes a terminal's Ctrl-C on, so that one arrives twice; a second one that is meant comes later than that. */
export const SAME_SIGNAL_MS = 1_000;

/**
 * Runs an app's main: prints a wrong configuration as one line and exits 1; on SIGTERM or SIGINT closes the app and
 * exits 0, or exits 1 when closing takes longer than `closeWithinMs`.
 */
export function runMain(
  start: () => Promise<NestFastifyApplication>,
  { closeWithinMs = 9_000, hurry }: MainOptions = {},
): void {
  if (process.env.VENDO_SUPERVISED === '1') endWithSupervisor();
  let stopping = false;
  let stoppedAt = 0;
  let app: NestFastifyApplication | undefined;
  const stop = (): void => {
    if (stopping) {
      if (app && performance.now() - stoppedAt > SAME_SIGNAL_MS) hurry?.(app);
      return;
    }
    stopping = true;
    stoppedAt = performance.now();
    setTimeout(() => process.exit(1), closeWithinMs).unref();
    void Promise.resolve(app?.close()).then(
      () => process.exit(0),
      () => process.exit(1),
    );
  };
  process.on('SIGTERM', stop);
  process.on('SIGINT', stop);
  // A wrong configuration is thrown before there is a promise.
  Promise.resolve()
    .then(start)
    .then(
      (started) => {
        app = started;
        if (stopping) void started.close().finally(() => process.exit(0));
      },
      (thrown: unknown) => {
        const text =
          thrown instanceof ConfigError
            ? `configuration: ${thrown.message}`
            : thrown instanceof Error
              ? (thrown.stack ?? thrown.message)
              : String(thrown);
        process.stderr.write(`${text}\n`);
        process.exit(1);
      },
    );
}

/**
 * The supervisor of `npm start` holds the other end of our stdin. When it dies, however it dies, stdin ends and so do
 * we, at once, like a killed process: the next start finds the ports free and recovers what we were doing.
 */
function endWithSupervisor(): void {
  process.stdin.on('end', () => process.exit(1));
  process.stdin.on('error', () => process.exit(1));
  process.stdin.resume();
}
