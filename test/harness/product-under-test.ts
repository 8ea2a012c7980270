import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { type Product, startProduct } from '../../tools/standalone/product.js';
import { AdminClient, type AppCaps } from './admin-client.js';
import { BillingClient } from './billing-client.js';
import { type RawAnswer, type RawRequest, rawRequest } from './raw-http.js';
import { waitUntil } from './wait-until.js';

export interface ProductUnderTest extends Omit<Product, 'stop'> {
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
  /** Ends everything and deletes its folder. Throws when a part did not end by itself. */
  stop(): Promise<void>;
}

export interface ProductOptions {
  /** Origins to forward to instead of the provider, by slug; the managed pool goes there too instead of to the sandbox. */
  upstreams?: Record<string, string>;
  /** Further settings of the apps. */
  env?: Record<string, string>;
  /** `host:port,..`: events travel over this Kafka instead of Postgres. It must hold none of our topics yet. */
  kafkaBrokers?: string;
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
 * The whole product, one process per app, in a folder of its own under /var/tmp and on free ports. Of the shell's
 * environment it gets PATH, HOME and TZ, nothing else.
 * `VENDO_TEST_VERBOSE=1` prints what the supervisor says, `VENDO_TEST_KEEP=1` keeps the folder with its logs.
 */
export async function productForTests(options: ProductOptions = {}): Promise<ProductUnderTest> {
  const dataFolder = await mkdtemp('/var/tmp/vendo-product-');
  await chmod(dataFolder, 0o711); // as root, Postgres runs as another user, who must get through
  const cleanUp = async (): Promise<void> => {
    if (process.env.VENDO_TEST_KEEP) process.stderr.write(`kept ${dataFolder}\n`);
    else await rm(dataFolder, { recursive: true, force: true });
  };
  const product = await startProduct({ dataFolder, env: environment(options), report: verbosely() }).catch(
    async (thrown: unknown) => {
      await cleanUp();
      throw thrown;
    },
  );
  const gatewayUrl = product.urls.gateway;
  const admin = new AdminClient(gatewayUrl, product.secrets.adminToken);
  const billing = (key: string): BillingClient => new BillingClient(gatewayUrl, key);
  const raw = (request: RawRequest): Promise<RawAnswer> => rawRequest(gatewayUrl, request);
  return {
    urls: product.urls,
    secrets: product.secrets,
    dataFolder: product.dataFolder,
    databaseFolder: () => product.databaseFolder(),
    pid: (part) => product.pid(part),
    logFile: (app) => product.logFile(app),
    deaths: () => product.deaths(),
    kill: (part, signal) => product.kill(part, signal),
    start: (part) => product.start(part),
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
    async stop() {
      const unclean = await product.stop();
      await cleanUp();
      if (unclean.length > 0) throw new Error(`did not end by themselves: ${unclean.join(', ')}`);
    },
  };
}

function environment({ upstreams = {}, env = {}, kafkaBrokers }: ProductOptions): Record<string, string> {
  const { PATH = '', HOME = '', TZ = '' } = process.env;
  const origins = Object.entries(upstreams).map(([slug, url]) => [`UPSTREAM_${slug.toUpperCase()}_URL`, url]);
  return {
    PATH,
    HOME,
    TZ,
    GATEWAY_PORT: '0',
    LEDGER_PORT: '0',
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
