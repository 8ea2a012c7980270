import { existsSync } from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { freePort } from '@vendo/testing';
import { StartError, secretsOf, takeDataFolder } from './data-folder.js';
import { type Database, embeddedDatabase, foreignDatabase } from './database.js';
import {
  APPS,
  type AppName,
  type Environment,
  environmentOf,
  type Ports,
  type Secrets,
  urlOf,
} from './settings.js';
import { SupervisedProcess } from './supervised-process.js';

/** When each part must be gone, in ms after the stop began: open calls get 25 s, the whole 40 s. */
const GONE_WITHIN_MS: Record<AppName | 'postgres', number> = {
  gateway: 33_000,
  projector: 34_000,
  ledger: 36_000,
  sandbox: 36_500,
  postgres: 39_000,
};
const HEALTHY_WITHIN_MS = 60_000;
const HEALTH_POLL_MS = 50;

export type Part = AppName | 'postgres';

export interface ProductOptions {
  /** Database, spool, secrets, logs. */
  dataFolder: string;
  /** Read by name (settings.ts); what it does not name never reaches an app. */
  env: Environment;
  /** Told one line for each thing that takes time or goes wrong. */
  report: (line: string) => void;
  /** Gives up a start that is under way; `startProduct` then ends what it began and throws. */
  signal?: AbortSignal;
}

/** The whole product on one machine, one process per app. */
export interface Product {
  urls: Record<AppName, string> & { database: string };
  secrets: Secrets;
  dataFolder: string;
  /** Where the embedded Postgres keeps its data; null for a database of the operator's own. */
  databaseFolder(): string | null;
  pid(part: Part): number | null;
  logFile(app: AppName): string;
  /** Deaths that nobody asked for, since the start. */
  deaths(): readonly string[];
  /** Sends a signal; after one that ends the part it stays down until `start`, and the promise resolves when it is gone. */
  kill(part: Part, signal: NodeJS.Signals): Promise<void>;
  /** Starts a part that was killed; resolves when it is healthy. */
  start(part: Part): Promise<void>;
  /**
   * Ends everything in order within 40 s, at once when no call is open. Resolves with the parts that had to be killed
   * or failed to end cleanly. Idempotent.
   */
  stop(): Promise<Part[]>;
  /** While it stops: open calls get no more time. They are settled all the same. */
  hurry(): void;
}

/**
 * Starts database, ledger, sandbox, projector and gateway as child processes and waits until all are healthy.
 * `GATEWAY_PORT` and `LEDGER_PORT` are taken from the environment (8080, 8090), 0 takes a free port; so do the rest.
 * Throws StartError for what an operator can mend (port or data folder in use, an app that refuses its configuration);
 * nothing is left running then.
 */
export async function startProduct(options: ProductOptions): Promise<Product> {
  const dataFolder = path.resolve(options.dataFolder);
  const release = await takeDataFolder(dataFolder);
  const started: { product?: RunningProduct } = {};
  try {
    const ports = await portsOf(options.env);
    const secrets = await secretsOf(dataFolder, options.env);
    const product = new RunningProduct(dataFolder, options, ports, secrets, release);
    started.product = product;
    await product.begin();
    return product;
  } catch (thrown) {
    if (started.product) await started.product.stop();
    else await release();
    throw thrown;
  }
}

class RunningProduct implements Product {
  readonly urls: Product['urls'];
  private readonly apps = new Map<AppName, SupervisedProcess>();
  private readonly unasked: string[] = [];
  private database: Database | null = null;
  private stopped: Promise<Part[]> | null = null;

  constructor(
    readonly dataFolder: string,
    private readonly options: ProductOptions,
    private readonly ports: Ports,
    readonly secrets: Secrets,
    private readonly release: () => Promise<void>,
  ) {
    const { gateway, ledger, projector, sandbox } = ports;
    this.urls = {
      gateway: urlOf(gateway),
      ledger: urlOf(ledger),
      projector: urlOf(projector),
      sandbox: urlOf(sandbox),
      database: '',
    };
  }

  /** Database first; the apps all at once, for each waits for the schemas of the others by itself. */
  async begin(): Promise<void> {
    const { env, report } = this.options;
    report(env.DATABASE_URL ? 'using the database of DATABASE_URL' : 'starting Postgres');
    this.database = env.DATABASE_URL
      ? foreignDatabase(env.DATABASE_URL)
      : await embeddedDatabase(this.dataFolder, report, this.died);
    this.urls.database = this.database.url;
    this.options.signal?.throwIfAborted();
    report('starting ledger, sandbox, projector and gateway; each migrates its own tables');
    const wiring = {
      dataFolder: this.dataFolder,
      databaseUrl: this.database.url,
      kafkaBrokers: env.KAFKA_BROKERS || undefined,
      ports: this.ports,
      secrets: this.secrets,
    };
    for (const app of APPS) {
      const supervised = new SupervisedProcess({
        name: app,
        script: mainOf(app),
        env: environmentOf(app, env, wiring),
        logFile: this.logFile(app),
        died: this.died,
      });
      this.apps.set(app, supervised);
      supervised.start();
    }
    await Promise.all(APPS.map((app) => this.firstHealth(app)));
  }

  pid(part: Part): number | null {
    return part === 'postgres' ? (this.database?.pid() ?? null) : this.app(part).pid;
  }

  databaseFolder(): string | null {
    return this.database?.folder ?? null;
  }

  logFile(app: AppName): string {
    return path.join(this.dataFolder, 'logs', `${app}.log`);
  }

  deaths(): readonly string[] {
    return this.unasked;
  }

  async kill(part: Part, signal: NodeJS.Signals): Promise<void> {
    await (part === 'postgres' ? this.database : this.app(part))?.kill(signal);
  }

  async start(part: Part): Promise<void> {
    if (part === 'postgres') return this.database?.start();
    this.app(part).start();
    await healthy(this.urls[part], () => null);
  }

  stop(): Promise<Part[]> {
    this.stopped ??= this.end();
    return this.stopped;
  }

  hurry(): void {
    if (this.stopped) this.apps.get('gateway')?.signal('SIGTERM');
  }

  private async end(): Promise<Part[]> {
    const began = Date.now();
    const unclean: Part[] = [];
    for (const part of [...APPS, 'postgres'] as const) {
      const stoppable = part === 'postgres' ? this.database : this.apps.get(part);
      const clean = await stoppable?.stop(GONE_WITHIN_MS[part] - (Date.now() - began));
      if (clean === false) unclean.push(part);
    }
    await this.release();
    return unclean;
  }

  private async firstHealth(app: AppName): Promise<void> {
    const supervised = this.app(app);
    await healthy(this.urls[app], () => {
      if (this.options.signal?.aborted || this.stopped) return 'stopped while starting';
      return this.unasked.some((line) => line.startsWith(`${app} `))
        ? `${app} does not start: ${firstLine(supervised.complaint())} (log: ${this.logFile(app)})`
        : null;
    });
    this.options.report(`${app} is up`);
  }

  private app(name: AppName): SupervisedProcess {
    const found = this.apps.get(name);
    if (!found) throw new Error(`${name} was never started`);
    return found;
  }

  private readonly died = (line: string): void => {
    this.unasked.push(line);
    this.options.report(line);
  };
}

async function portsOf(env: Environment): Promise<Ports> {
  return {
    gateway: await takenPort('GATEWAY_PORT', env.GATEWAY_PORT || '8080'),
    ledger: await takenPort('LEDGER_PORT', env.LEDGER_PORT || '8090'),
    projector: await takenPort('PROJECTOR_PORT', env.PROJECTOR_PORT || '0'),
    sandbox: await takenPort('SANDBOX_PORT', env.SANDBOX_PORT || '0'),
  };
}

/** The port to use: a free one for 0. Throws StartError when it is no port or in use. */
async function takenPort(variable: string, text: string): Promise<number> {
  const port = Number(text);
  if (!Number.isInteger(port) || port < 0 || port > 65_535)
    throw new StartError(`configuration: ${variable} must be a port number, 0 to 65535`);
  if (port === 0) return freePort();
  if (!(await isFree(port))) throw new StartError(`port ${port} is in use; set ${variable} to a free port`);
  return port;
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = net.createServer();
    probe.once('error', () => resolve(false));
    probe.listen(port, '127.0.0.1', () => probe.close(() => resolve(true)));
  });
}

/** @param failed says why waiting is pointless, else null. Throws StartError then, or after a minute. */
async function healthy(url: string, failed: () => string | null): Promise<void> {
  let reason = 'it does not answer';
  for (const deadline = Date.now() + HEALTHY_WITHIN_MS; Date.now() < deadline; ) {
    const why = failed();
    if (why !== null) throw new StartError(why);
    try {
      const answer = await fetch(`${url}/healthz`, { signal: AbortSignal.timeout(2_000) });
      if (answer.ok) return void (await answer.arrayBuffer());
      reason = (await answer.text()).slice(0, 300);
    } catch {
      reason = 'it does not answer';
    }
    await new Promise((resolve) => setTimeout(resolve, HEALTH_POLL_MS));
  }
  throw new StartError(`${url} is not healthy after ${HEALTHY_WITHIN_MS / 1_000} s: ${reason}`);
}

/** The line that names the error, else the first one. */
function firstLine(text: string): string {
  const lines = text.split('\n').filter((line) => line.trim() !== '');
  return lines.find((line) => /^configuration:|\berror:|Error\b/.test(line)) ?? lines[0] ?? 'it said nothing';
}

/** The compiled app. This file runs compiled (`npm start`) and from its source (journeys), so the root is looked for. */
function mainOf(app: AppName): string {
  for (let folder = import.meta.dirname; ; folder = path.dirname(folder)) {
    if (existsSync(path.join(folder, 'package.json')))
      return path.join(folder, 'dist', 'apps', app, 'src', 'main.js');
    if (folder === path.dirname(folder)) throw new Error('the folder of the product was not found');
  }
}
