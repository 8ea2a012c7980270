import path from 'node:path';
import { type EmbeddedPostgres, startEmbeddedPostgres } from '@vendo/testing';

const RESTART_AFTER_MS = 500;

/** The database of one product: a Postgres of the operator's own, or an embedded one that is started again when it dies. */
export interface Database {
  url: string;
  /** Null for a database of the operator's own. */
  folder: string | null;
  /** Null while it does not run, and for a database of the operator's own. */
  pid(): number | null;
  start(): Promise<void>;
  kill(signal: NodeJS.Signals): Promise<void>;
  stop(withinMs: number): Promise<boolean>;
}

/** A database that somebody else runs: nothing here may end it. */
export function foreignDatabase(url: string): Database {
  const refuse = async (): Promise<never> => {
    throw new Error('DATABASE_URL names a database that this program did not start');
  };
  return { url, folder: null, pid: () => null, start: refuse, kill: refuse, stop: async () => true };
}

/** @param report told what takes time, and when it died without being asked to. */
export async function embeddedDatabase(
  dataFolder: string,
  report: (line: string) => void,
  died: (line: string) => void,
): Promise<Database> {
  const folder = path.join(dataFolder, 'postgres');
  let server: EmbeddedPostgres | null = await startEmbeddedPostgres({ folder, progress: report });
  const { port, url, folder: cluster } = server;
  let wanted = true;
  let starting: Promise<void> | null = null;
  watch(server);

  function watch(running: EmbeddedPostgres): void {
    void running.exited.then(async () => {
      if (server === running) server = null;
      if (!wanted) return;
      died('postgres ended; starting it again');
      while (wanted && server === null) {
        await new Promise((resolve) => setTimeout(resolve, RESTART_AFTER_MS));
        if (wanted) await start().catch(() => undefined); // it was told
      }
    });
  }

  /** One start at a time: two postmasters in one folder would be in each other's way. */
  async function start(): Promise<void> {
    wanted = true;
    if (server) return;
    starting ??= launch().finally(() => {
      starting = null;
    });
    await starting;
  }

  async function launch(): Promise<void> {
    try {
      const started = await startEmbeddedPostgres({ folder, port, progress: report });
      // Stopped or killed meanwhile: nobody would end it.
      if (!wanted) return await started.stop();
      server = started;
      watch(started);
    } catch (thrown) {
      died(`postgres does not start: ${thrown instanceof Error ? thrown.message : String(thrown)}`);
      throw thrown;
    }
  }

  return {
    url,
    folder: cluster,
    pid: () => server?.pid ?? null,
    start,
    async kill(signal) {
      const ending = signal !== 'SIGSTOP' && signal !== 'SIGCONT';
      if (ending) wanted = false;
      const running = server;
      if (!running) return;
      process.kill(running.pid, signal);
      if (ending) await running.exited;
    },
    async stop(withinMs) {
      wanted = false;
      await starting?.catch(() => undefined);
      const running = server;
      if (!running) return true;
      let forced = false;
      const timer = setTimeout(
        () => {
          forced = true;
          process.kill(running.pid, 'SIGKILL');
        },
        Math.max(withinMs, 0),
      );
      await running.stop();
      clearTimeout(timer);
      return !forced;
    },
  };
}
