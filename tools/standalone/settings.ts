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
    'VENDO_BALANCE_REQUESTS_PER_MINUTE',
    'VENDO_CLI_REQUESTS_PER_MINUTE',
    'VENDO_SPOOL_SYNC',
    'VENDO_SPOOL_MAX_BYTES',
    'VENDO_MAX_JSON_BYTES',
    'VENDO_UPSTREAM_TIMEOUT_MS',
    'GATEWAY_HOST',
  ],
  ledger: ['LEDGER_HOST'],
  projector: ['PROJECTOR_HOST'],
  sandbox: ['SANDBOX_HOST'],
};
const PASSED_ON_TO_ALL = ['PATH', 'HOME', 'TZ', 'VENDO_LOG_LEVEL'];
/** Upstreams and pool keys, one pair per provider: `UPSTREAM_OPENAI_URL`, `POOL_OPENAI_API_KEY`. */
const PER_PROVIDER = /^(UPSTREAM_[A-Z0-9_]+_URL|POOL_[A-Z0-9_]+_API_KEY)$/;

export type Environment = Record<string, string | undefined>;

export interface Secrets {
  adminToken: string;
  internalToken: string;
  /** 32 bytes, base64. */
  encryptionKey: string;
}

export type Ports = Record<AppName, number>;

/** What all apps of one product share. */
export interface Wiring {
  dataFolder: string;
  databaseUrl: string;
  kafkaBrokers: string | undefined;
  ports: Ports;
  secrets: Secrets;
}

export function urlOf(port: number): string {
  return `http://127.0.0.1:${port}`;
}

/** The whole environment of one app: our wiring, and what of the caller's environment concerns it. */
export function environmentOf(app: AppName, caller: Environment, wiring: Wiring): Record<string, string> {
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
    ...wired(app, wiring),
    NO_COLOR: '1',
    VENDO_SUPERVISED: '1',
  };
}

function wired(app: AppName, wiring: Wiring): Record<string, string> {
  const { dataFolder, databaseUrl, kafkaBrokers, ports, secrets } = wiring;
  const log = { DATABASE_URL: databaseUrl, ...(kafkaBrokers ? { KAFKA_BROKERS: kafkaBrokers } : {}) };
  switch (app) {
    case 'gateway':
      return {
        ...log,
        GATEWAY_PORT: String(ports.gateway),
        LEDGER_URL: urlOf(ports.ledger),
        VENDO_SANDBOX_URL: urlOf(ports.sandbox),
        VENDO_DATA_DIR: path.resolve(dataFolder),
        VENDO_ADMIN_TOKEN: secrets.adminToken,
        VENDO_INTERNAL_TOKEN: secrets.internalToken,
        VENDO_ENCRYPTION_KEY: secrets.encryptionKey,
      };
    case 'ledger':
      return { ...log, LEDGER_PORT: String(ports.ledger), VENDO_INTERNAL_TOKEN: secrets.internalToken };
    case 'projector':
      return { ...log, PROJECTOR_PORT: String(ports.projector) };
    case 'sandbox':
      return { SANDBOX_PORT: String(ports.sandbox) };
  }
}
