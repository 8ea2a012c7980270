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
  type Instance,
  type InstanceName,
  type Replicated,
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

export type Part = InstanceName | 'postgres';

export interface ProductOptions {
  /** Database, spool, secrets, logs. */
  dataFolder: string;
  /** Read by name (settings.ts); what it does not name never reaches an app. */
  env: Environment;
  /** How many of each there are; default: one. */
  instances?: Partial<Record<Replicated, number>>;
  /** All gateways keep their spools in the product's folder, as on a shared volume; default: each in one of its own. */
  sharedSpool?: boolean;
  /** Told one line for each thing that takes time or goes wrong. */
  report: (line: string) => void;
  /** Gives up a start that is under way; `startProduct` then ends what it began and throws. */
  signal?: AbortSignal;
}

/** The whole product on one machine, each app in processes of its own. */
export interface Product {
  /** Of the first process of each app, and of all gateways and ledgers in the order of `instancesOf`. */
  urls: Record<AppName, string> & {
    database: string;
    gateways: readonly string[];
    ledgers: readonly string[];
  };
  secrets: Secrets;
  dataFolder: string;
  /** Where the embedded Postgres keeps its data; null for a database of the operator's own. */
  databaseFolder(): string | null;
  pid(part: Part): number | null;
  logFile(name: InstanceName): string;
  /** The processes of an app, the first one first. */
  instancesOf(app: AppName): InstanceName[];
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
 * `GATEWAY_PORT` and `LEDGER_PORT` are taken from the environment (8080, 8090), 0 takes a free port; so do the rest, and
 * every further process of an app.
 * Throws StartError for what an operator can mend (port or data folder in use, an app that refuses its configuration);
 * nothing is left running then.
 */
export async function startProduct(options: ProductOptions): Promise<Product> {
  const dataFolder = path.resolve(options.dataFolder);
  const release = await takeDataFolder(dataFolder);
  const started: { product?: RunningProduct } = {};
  try {
    const instances = await instancesOf(dataFolder, options);
    const secrets = await secretsOf(dataFolder, options.env);
    const product = new RunningProduct(dataFolder, options, instances, secrets, release);
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
  private readonly processes = new Map<InstanceName, SupervisedProcess>();
  private readonly unasked: string[] = [];
  private database: Database | null = null;
  private stopped: Promise<Part[]> | null = null;

  constructor(
    readonly dataFolder: string,
    private readonly options: ProductOptions,
    private readonly instances: readonly Instance[],
    readonly secrets: Secrets,
    private readonly release: () => Promise<void>,
  ) {
    const urlsOf = (app: AppName): string[] =>
      instances.filter((each) => each.app === app).map(({ port }) => urlOf(port));
    const [gateway = '', ledger = '', projector = '', sandbox = ''] = (
      ['gateway', 'ledger', 'projector', 'sandbox'] as const
    ).map((app) => urlsOf(app)[0]);
    this.urls = {
      gateway,
      ledger,
      projector,
      sandbox,
      database: '',
      gateways: urlsOf('gateway'),
      ledgers: urlsOf('ledger'),
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
      databaseUrl: this.database.url,
      kafkaBrokers: env.KAFKA_BROKERS || undefined,
      instances: this.instances,
      secrets: this.secrets,
      compileCache: path.join(root(), 'node_modules', '.cache', 'vendo-compiled'),
    };
    for (const instance of this.instances) {
      const supervised = new SupervisedProcess({
        name: instance.name,
        script: mainOf(instance.app),
        env: environmentOf(instance, env, wiring),
        logFile: this.logFile(instance.name),
        died: this.died,
      });
      this.processes.set(instance.name, supervised);
      supervised.start();
    }
    await Promise.all(this.instances.map((instance) => this.firstHealth(instance)));
  }

  pid(part: Part): number | null {
    return part === 'postgres' ? (this.database?.pid() ?? null) : this.process(part).pid;
  }

  databaseFolder(): string | null {
    return this.database?.folder ?? null;
  }

  logFile(name: InstanceName): string {
    return path.join(this.dataFolder, 'logs', `${name}.log`);
  }

  instancesOf(app: AppName): InstanceName[] {
    return this.instances.filter((each) => each.app === app).map(({ name }) => name);
  }

  deaths(): readonly string[] {
    return this.unasked;
  }

  async kill(part: Part, signal: NodeJS.Signals): Promise<void> {
    await (part === 'postgres' ? this.database : this.process(part))?.kill(signal);
  }

  async start(part: Part): Promise<void> {
    if (part === 'postgres') return this.database?.start();
    this.process(part).start();
    const instance = this.instances.find(({ name }) => name === part);
    await healthy(urlOf(instance?.port ?? 0), () => null);
  }

  stop(): Promise<Part[]> {
    this.stopped ??= this.end();
    return this.stopped;
  }

  hurry(): void {
    if (this.stopped === null) return;
    for (const gateway of this.instancesOf('gateway')) this.processes.get(gateway)?.signal('SIGTERM');
  }

  private async end(): Promise<Part[]> {
    const began = Date.now();
    const unclean: Part[] = [];
    for (const app of APPS) {
      const withinMs = GONE_WITHIN_MS[app] - (Date.now() - began);
      await Promise.all(
        this.instancesOf(app).map(async (name) => {
          if ((await this.processes.get(name)?.stop(withinMs)) === false) unclean.push(name);
        }),
      );
    }
    const databaseEnded = await this.database?.stop(GONE_WITHIN_MS.postgres - (Date.now() - began));
    if (databaseEnded === false) unclean.push('postgres');
    await this.release();
    return unclean;
  }

  private async firstHealth({ name, port }: Instance): Promise<void> {
    const supervised = this.process(name);
    await healthy(urlOf(port), () => {
      if (this.options.signal?.aborted || this.stopped) return 'stopped while starting';
      return this.unasked.some((line) => line.startsWith(`${name} `))
        ? `${name} does not start: ${firstLine(supervised.complaint())} (log: ${this.logFile(name)})`
        : null;
    });
    this.options.report(`${name} is up`);
  }

  private process(name: InstanceName): SupervisedProcess {
    const found = this.processes.get(name);
    if (!found) throw new Error(`${name} was never started`);
    return found;
  }

  private readonly died = (line: string): void => {
    this.unasked.push(line);
    this.options.report(line);
  };
}

/** The first of each app on the port that it has by name, the others on free ones. */
async function instancesOf(dataFolder: string, options: ProductOptions): Promise<Instance[]> {
  const { env, instances = {}, sharedSpool = false } = options;
  const named = {
    gateway: await takenPort('GATEWAY_PORT', env.GATEWAY_PORT || '8080'),
    projector: await takenPort('PROJECTOR_PORT', env.PROJECTOR_PORT || '0'),
    ledger: await takenPort('LEDGER_PORT', env.LEDGER_PORT || '8090'),
    sandbox: await takenPort('SANDBOX_PORT', env.SANDBOX_PORT || '0'),
  };
  const all: Instance[] = [];
  for (const app of APPS) {
    all.push({ app, name: app, port: named[app], dataFolder });
    if (app === 'sandbox') continue;
    for (let nth = 2; nth <= (instances[app] ?? 1); nth += 1) {
      const name: InstanceName = `${app}-${nth}`;
      const folder = sharedSpool ? dataFolder : path.join(dataFolder, name);
      all.push({ app, name, port: await freePort(), dataFolder: folder });
    }
  }
  return all;
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

/** The app as one file (tools/bundle). */
function mainOf(app: AppName): string {
  return path.join(root(), 'dist', `${app}.js`);
}

/** This file runs bundled (`npm start`) and from its source (journeys), so the root is looked for. */
function root(): string {
  for (let folder = import.meta.dirname; ; folder = path.dirname(folder)) {
    if (existsSync(path.join(folder, 'package.json'))) return folder;
    if (folder === path.dirname(folder)) throw new Error('the folder of the product was not found');
  }
}
