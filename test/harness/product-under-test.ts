import { execFile } from 'node:child_process';
import { chmod, mkdir, mkdtemp, rm } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { GATEWAY_TOPIC, LEDGER_TOPIC } from '@vendo/events';
import { DISK, kafkaForTests, testFolder } from '@vendo/testing';
import type { LocalKafka } from '../../tools/kafka/kafka.mjs';
import {
  type ProductOptions as LauncherOptions,
  type Part,
  type Product,
  startProduct,
} from '../../tools/standalone/product.js';
import { AdminClient, type AppCaps } from './admin-client.js';
import { BillingClient } from './billing-client.js';
import { KafkaTopics } from './kafka-topics.js';
import { type LogKind, logOfSuite } from './log-of-suite.js';
import { type RawAnswer, type RawRequest, rawRequest } from './raw-http.js';
import { secretsWatch } from './secrets-watch.js';
import { waitUntil } from './wait-until.js';

const run = promisify(execFile);
const OUR_TOPICS = [GATEWAY_TOPIC, LEDGER_TOPIC];

/** What a kill run can aim at: the product's processes, its database, and a broker of its own. */
export type Target = Part | 'kafka';

export interface ProductUnderTest extends Omit<Product, 'stop' | 'kill' | 'start' | 'pid'> {
  /** `host:port,..` of the Kafka that its events travel over; null: over Postgres. */
  kafkaBrokers: string | null;
  pid(target: Target): number | null;
  kill(target: Target, signal: NodeJS.Signals): Promise<void>;
  start(target: Target): Promise<void>;
  admin: AdminClient;
  waitUntil: typeof waitUntil;
  billing(key: string): BillingClient;
  /** A request to the gateway, exactly as given. */
  raw(request: RawRequest): Promise<RawAnswer>;
  /** `/proxy/{slug}` of the gateway: the base URL of an SDK, before what the SDK's own base path adds. */
  proxyUrl(provider: string): string;
  /** A tenant with credit and one app, bound to the managed pool of both providers (the sandbox). */
  customer(options?: CustomerOptions): Promise<Customer>;
  /** Resolves when no hold of the tenant is open at the ledger; read models may lag behind. */
  settled(tenantId: string, withinMs?: number): Promise<void>;
  /** Resolves when the gateway has a price for the model: until then it answers 402 and forwards nothing. */
  ratesAreIn(provider: string, model: string, key: string): Promise<void>;
  /** The second half of the streams that the sandbox holds. */
  releaseStreams(): Promise<void>;
  /**
   * Ends everything and deletes its folder. Throws when a part did not end by itself, and when a secret of the product
   * was found in a log, a spool, an event, a table or an answer. Idempotent.
   */
  stop(): Promise<void>;
}

export interface ProductOptions extends Pick<LauncherOptions, 'instances' | 'sharedSpool'> {
  /** Origins to forward to instead of the provider, by slug; the managed pool goes there too instead of to the sandbox. */
  upstreams?: Record<string, string>;
  /** Further settings of the apps. */
  env?: Record<string, string>;
  /**
   * What events travel over; default: the log of the suite. `kafka` is the suite's broker, emptied of our topics, so that
   * one product uses it at a time; `own kafka` a broker that can be killed, which needs Java, and Maven the first time.
   */
  log?: LogKind | 'own kafka';
  /** Its files are on the disk although those of the suite may be in memory: where times are measured. */
  onDisk?: boolean;
}

export interface CustomerOptions extends AppCaps {
  creditMicros?: number;
}

export interface Customer {
  tenantId: string;
  appId: string;
  keyId: string;
  key: string;
  billing: BillingClient;
}

/**
 * The whole product, one process per app, in a folder of its own and on free ports. Of the shell's
 * environment it gets PATH, HOME and TZ, nothing else.
 * `VENDO_TEST_VERBOSE=1` prints what the supervisor says, `VENDO_TEST_KEEP=1` keeps the folder with its logs.
 */
export async function productForTests(options: ProductOptions = {}): Promise<ProductUnderTest> {
  const { onDisk = Boolean(process.env.VENDO_TEST_KEEP) } = options;
  const folder = await mkdtemp(path.join(onDisk ? DISK : testFolder(), 'vendo-product-'));
  await chmod(folder, 0o711); // as root, Postgres runs as another user, who must get through
  const log = options.log ?? logOfSuite();
  let broker: LocalKafka | null = null;
  const cleanUp = async (): Promise<void> => {
    await broker?.kill(); // it may be stopped
    if (process.env.VENDO_TEST_KEEP) process.stderr.write(`kept ${folder}\n`);
    else await rm(folder, { recursive: true, force: true });
  };
  try {
    if (log === 'own kafka') broker = await ownKafka(path.join(folder, 'kafka'));
    const kafkaBrokers = broker?.brokers ?? (log === 'kafka' ? await emptySuiteBroker() : null);
    const { instances = {}, sharedSpool = false } = options;
    const dataFolder = path.join(folder, 'product');
    await copyDatabase(dataFolder);
    const product = await startProduct({
      dataFolder,
      env: environment(options, kafkaBrokers),
      instances,
      sharedSpool,
      report: verbosely(),
    });
    return underTest(product, options, { kafkaBrokers, broker, cleanUp });
  } catch (thrown) {
    await cleanUp();
    throw thrown;
  }
}

/** The database that the suite has made (jest-global-setup.mjs); a bench has none, and its product makes its own. */
async function copyDatabase(dataFolder: string): Promise<void> {
  const made = process.env.VENDO_TEST_DATABASE;
  if (!made) return;
  await mkdir(dataFolder);
  await run('cp', ['-Rp', made, path.join(dataFolder, 'postgres')]); // with its owner, whom Node's own copy forgets
}

interface Surroundings {
  kafkaBrokers: string | null;
  broker: LocalKafka | null;
  cleanUp: () => Promise<void>;
}

function underTest(
  product: Product,
  { env = {} }: ProductOptions,
  { kafkaBrokers, broker, cleanUp }: Surroundings,
): ProductUnderTest {
  learnSecrets(product, env);
  const gatewayUrl = product.urls.gateway;
  const admin = new AdminClient(gatewayUrl, product.secrets.adminToken);
  const billing = (key: string): BillingClient => new BillingClient(gatewayUrl, key);
  const raw = (request: RawRequest): Promise<RawAnswer> => rawRequest(gatewayUrl, request);
  let stopped: Promise<void> | undefined;
  return {
    urls: product.urls,
    secrets: product.secrets,
    dataFolder: product.dataFolder,
    databaseFolder: () => product.databaseFolder(),
    kafkaBrokers,
    logFile: (name) => product.logFile(name),
    instancesOf: (app) => product.instancesOf(app),
    deaths: () => product.deaths(),
    pid: (target) => (target === 'kafka' ? (broker?.pid ?? null) : product.pid(target)),
    async kill(target, signal) {
      if (target !== 'kafka') return product.kill(target, signal);
      if (signal === 'SIGKILL') await broker?.kill();
      else if (broker?.pid !== undefined) process.kill(broker.pid, signal);
    },
    async start(target) {
      if (target === 'kafka') await broker?.restart();
      else await product.start(target);
    },
    hurry: () => product.hurry(),
    admin,
    waitUntil,
    billing,
    raw,
    proxyUrl: (provider) => `${gatewayUrl}/proxy/${provider}`,
    customer: (customerOptions) => customer(admin, billing, customerOptions),
    async settled(tenantId, withinMs = 15_000) {
      await waitUntil(
        async () => (await admin.openHolds(tenantId)).length === 0,
        `tenant ${tenantId} has no open hold`,
        withinMs,
      );
    },
    async ratesAreIn(provider, model, key) {
      await waitUntil(
        async () => (await call(raw, provider, model, key)).status !== 402,
        `a price of ${model}`,
      );
    },
    async releaseStreams() {
      const { status } = await fetch(`${product.urls.sandbox}/release`, { method: 'POST' });
      if (status !== 204) throw new Error(`the sandbox answered ${status}`);
    },
    stop() {
      stopped ??= endLooking(product, kafkaBrokers, broker).finally(cleanUp);
      return stopped;
    },
  };
}

/** Ends the product, and looks through all that it leaves behind. */
async function endLooking(
  product: Product,
  kafkaBrokers: string | null,
  broker: LocalKafka | null,
): Promise<void> {
  const looked = await lookForSecrets(product, broker ? null : kafkaBrokers).catch((thrown: Error) => thrown);
  const unclean = await product.stop();
  // The whole folder, so the files of a broker of its own too.
  await secretsWatch.lookInFolder(path.dirname(product.dataFolder));
  const findings = secretsWatch.take();
  if (unclean.length > 0) throw new Error(`did not end by themselves: ${unclean.join(', ')}`);
  if (looked instanceof Error) throw looked;
  if (findings.length > 0) throw new Error(`secrets were found: ${findings.join('; ')}`);
}

async function lookForSecrets(product: Product, kafkaBrokers: string | null): Promise<void> {
  await secretsWatch.lookInDatabase(product.urls.database);
  if (kafkaBrokers === null) return;
  const topics = new KafkaTopics(kafkaBrokers);
  for (const topic of OUR_TOPICS)
    for (const { headers, value } of await topics.read(topic)) {
      secretsWatch.look(`topic ${topic}`, value);
      secretsWatch.look(`headers of topic ${topic}`, JSON.stringify(headers));
    }
}

function learnSecrets(product: Product, env: Record<string, string>): void {
  for (const [name, secret] of Object.entries(product.secrets)) secretsWatch.learn(`the ${name}`, secret);
  secretsWatch.learn('the database password', new URL(product.urls.database).password);
  for (const [name, value] of Object.entries(env))
    if (/^POOL_.*_API_KEY$/.test(name)) secretsWatch.learn(name, value);
}

/** Loaded when it is wanted: benches run this file compiled, where there is no plain JavaScript. */
async function ownKafka(folder: string): Promise<LocalKafka> {
  const { startKafka } = await import('../../tools/kafka/kafka.mjs');
  return startKafka({ folder });
}

/** @returns the brokers of the suite, without a topic of ours. Throws when there is no Kafka. */
async function emptySuiteBroker(): Promise<string> {
  const kafka = await kafkaForTests();
  if (!kafka) throw new Error('the suite runs on Kafka, and KAFKA_BROKERS is unset');
  await kafka.deleteTopics();
  return kafka.brokers.join(',');
}

function environment(
  { upstreams = {}, env = {} }: ProductOptions,
  kafkaBrokers: string | null,
): Record<string, string> {
  const { PATH = '', HOME = '', TZ = '' } = process.env;
  const origins = Object.entries(upstreams).map(([slug, url]) => [`UPSTREAM_${slug.toUpperCase()}_URL`, url]);
  return {
    PATH,
    HOME,
    TZ,
    GATEWAY_PORT: '0',
    LEDGER_PORT: '0',
    // Journeys look at balances all the time, from one address.
    VENDO_BALANCE_REQUESTS_PER_MINUTE: '1000000',
    VENDO_CLI_REQUESTS_PER_MINUTE: '1000000',
    ...(kafkaBrokers ? { KAFKA_BROKERS: kafkaBrokers } : {}),
    ...Object.fromEntries(origins),
    ...env,
  };
}

function verbosely(): (line: string) => void {
  return process.env.VENDO_TEST_VERBOSE ? (line) => void process.stderr.write(`${line}\n`) : () => undefined;
}

/** The smallest call of a model. */
function call(
  raw: ProductUnderTest['raw'],
  provider: string,
  model: string,
  key: string,
): Promise<RawAnswer> {
  return raw({
    method: 'POST',
    path: `/proxy/${provider}/v1/${provider === 'anthropic' ? 'messages' : 'chat/completions'}`,
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
    body: JSON.stringify({ model, max_tokens: 1, messages: [{ role: 'user', content: 'x' }] }),
  });
}

async function customer(
  admin: AdminClient,
  billing: (key: string) => BillingClient,
  { creditMicros = 10_000_000, ...caps }: CustomerOptions = {},
): Promise<Customer> {
  const { id: tenantId } = await admin.createTenant();
  if (creditMicros !== 0) await admin.credit(tenantId, creditMicros);
  const { id: appId, key, keyId } = await admin.createApp(tenantId, 'App of a test', caps);
  for (const provider of ['openai', 'anthropic']) await admin.bind(appId, provider);
  return { tenantId, appId, keyId, key, billing: billing(key) };
}
