import path from 'node:path';

/** The processes of the product, in the order in which they end: who takes work first ends first. */
export const APPS = ['gateway', 'projector', 'ledger', 'sandbox'] as const;
export type AppName = (typeof APPS)[number];

/** Variables of the caller's environment that reach an app, by app; nothing else of the shell does. */
const PASSED_ON: Record<AppName, readonly string[]> = {
  gateway: [
    'VENDO_DOMAIN',
    'VENDO_PUBLIC_URL',
    'VENDO_JWKS_URL',
    'VENDO_JWT_ISSUER',
    'VENDO_JWT_AUDIENCE',
    'VENDO_BALANCE_REQUESTS_PER_MINUTE',
    'VENDO_CLI_REQUESTS_PER_MINUTE',
    'VENDO_SPOOL_SYNC',
    'VENDO_SPOOL_MAX_BYTES',
    'VENDO_MAX_JSON_BYTES',
    'VENDO_MAX_BODIES_BYTES',
    'VENDO_MAX_UPLOAD_BYTES',
    'VENDO_UPSTREAM_TIMEOUT_MS',
    'VENDO_PRICE_REFRESH_MS',
    'VENDO_JOBS_POLL_MS',
    'GATEWAY_HOST',
  ],
  ledger: ['VENDO_SPOOL_SILENCE_MS', 'LEDGER_HOST'],
  projector: ['PROJECTOR_HOST'],
  sandbox: ['SANDBOX_HOST'],
};
const PASSED_ON_TO_ALL = ['PATH', 'HOME', 'TZ', 'VENDO_LOG_LEVEL'];
/** Upstreams and pool keys, one pair per provider: `UPSTREAM_OPENAI_URL`, `POOL_OPENAI_API_KEY`. */
const PER_PROVIDER = /^(UPSTREAM_[A-Z0-9_]+_URL|POOL_[A-Z0-9_]+_API_KEY)$/;

export type Environment = Record<string, string | undefined>;

/** What there can be several of; the sandbox stands for the outside world. */
export type Replicated = Exclude<AppName, 'sandbox'>;
/** The first process of an app bears the app's name, the further ones a number from 2: `gateway-2`. */
export type InstanceName = AppName | `${Replicated}-${number}`;

/** One process of the product. */
export interface Instance {
  app: AppName;
  name: InstanceName;
  port: number;
  /** A gateway's spool is under it. */
  dataFolder: string;
}

export interface Secrets {
  adminToken: string;
  internalToken: string;
  /** 32 bytes, base64. */
  encryptionKey: string;
}

/** What all processes of one product share. */
export interface Wiring {
  databaseUrl: string;
  kafkaBrokers: string | undefined;
  instances: readonly Instance[];
  secrets: Secrets;
  /** Where Node keeps what it compiled of our modules, so that the next start need not; what cannot be kept is made again. */
  compileCache: string;
}

export function urlOf(port: number): string {
  return `http://127.0.0.1:${port}`;
}

/** The whole environment of one process: our wiring, and what of the caller's environment concerns its app. */
export function environmentOf(
  instance: Instance,
  caller: Environment,
  wiring: Wiring,
): Record<string, string> {
  const { app } = instance;
  const passedOn = Object.entries(caller).filter(
    ([name, value]) =>
      value !== undefined &&
      value !== '' &&
      (PASSED_ON_TO_ALL.includes(name) ||
        PASSED_ON[app].includes(name) ||
        (app === 'gateway' && PER_PROVIDER.test(name))),
  );
  return {
    ...(Object.fromEntries(passedOn) as Record<string, string>),
    ...wired(instance, wiring),
    NODE_COMPILE_CACHE: wiring.compileCache,
    NO_COLOR: '1',
    VENDO_SUPERVISED: '1',
  };
}

function wired({ app, port, dataFolder }: Instance, wiring: Wiring): Record<string, string> {
  const { databaseUrl, kafkaBrokers, instances, secrets } = wiring;
  const log = { DATABASE_URL: databaseUrl, ...(kafkaBrokers ? { KAFKA_BROKERS: kafkaBrokers } : {}) };
  const urlsOf = (wanted: AppName): string =>
    instances
      .filter((each) => each.app === wanted)
      .map((each) => urlOf(each.port))
      .join(',');
  switch (app) {
    case 'gateway':
      return {
        ...log,
        GATEWAY_PORT: String(port),
        LEDGER_URL: urlsOf('ledger'),
        VENDO_SANDBOX_URL: urlsOf('sandbox'),
        VENDO_DATA_DIR: path.resolve(dataFolder),
        VENDO_ADMIN_TOKEN: secrets.adminToken,
        VENDO_INTERNAL_TOKEN: secrets.internalToken,
        VENDO_ENCRYPTION_KEY: secrets.encryptionKey,
      };
    case 'ledger':
      return { ...log, LEDGER_PORT: String(port), VENDO_INTERNAL_TOKEN: secrets.internalToken };
    case 'projector':
      return { ...log, PROJECTOR_PORT: String(port) };
    case 'sandbox':
      return { SANDBOX_PORT: String(port) };
  }
}
