import { hostname } from 'node:os';
import { type DynamicModule, Module } from '@nestjs/common';
import { EventLogModule, eventLogConfig } from '@vendo/event-log';
import { LedgerClientModule } from '@vendo/ledger-api';
import { ReadModelsModule } from '@vendo/read-models';
import { RegistryModule } from '@vendo/registry';
import { RuntimeModule } from '@vendo/runtime';
import { BillingModule } from './billing/billing.module.js';
import { CallersModule } from './callers/callers.module.js';
import type { GatewayConfig } from './config.js';
import { CredentialsModule } from './credentials/credentials.module.js';
import { IdentitiesModule } from './identities/identities.module.js';
import { JobsModule } from './jobs/jobs.module.js';
import { ObjectsModule } from './objects/objects.module.js';
import { OpenApiModule } from './openapi/openapi.module.js';
import { OperatorModule } from './operator/operator.module.js';
import { PriceFeedsModule } from './price-feeds/price-feeds.module.js';
import type { FeedPlace } from './price-feeds/price-refresher.js';
import { PROVIDERS } from './providers/registry.js';
import { PROXY_LIMITS } from './proxy/limits.js';
import { ProxyModule } from './proxy/proxy.module.js';
import { SpoolModule } from './spool/spool.module.js';

/** The public edge: proxy, spool, billing API, operator API and their documentation. Each room is made once and handed to those that use it. */
@Module({})
export class GatewayModule {
  static from(config: GatewayConfig): DynamicModule {
    const databaseUrl = config.DATABASE_URL;
    const log = EventLogModule.from(eventLogConfig(config));
    const ledger = LedgerClientModule.from({ seeds: config.LEDGER_URL, token: config.VENDO_INTERNAL_TOKEN });
    const registry = RegistryModule.from({ databaseUrl });
    const readModels = ReadModelsModule.from({ databaseUrl });
    const callers = CallersModule.from({ databaseUrl }, [registry]);
    const credentials = CredentialsModule.from({
      encryptionKey: config.VENDO_ENCRYPTION_KEY,
      pool: config.pool,
      upstreams: config.upstreams,
      ...(config.VENDO_SANDBOX_URL === undefined ? {} : { sandboxUrl: config.VENDO_SANDBOX_URL }),
    });
    const objects = ObjectsModule.from({ databaseUrl }, [registry]);
    const identities = IdentitiesModule.from({
      jwksUrl: config.VENDO_JWKS_URL,
      issuer: config.VENDO_JWT_ISSUER,
      audience: config.VENDO_JWT_AUDIENCE,
    });
    const operator = OperatorModule.from(
      { adminToken: config.VENDO_ADMIN_TOKEN, providers: PROVIDERS.map(({ slug }) => slug) },
      [registry, readModels, ledger, credentials],
    );
    const spool = SpoolModule.from({
      dataDir: config.VENDO_DATA_DIR,
      host: hostname(),
      maxBytes: config.VENDO_SPOOL_MAX_BYTES,
      sync: config.VENDO_SPOOL_SYNC,
      imports: [log, ledger],
    });
    const proxy = ProxyModule.from({
      maxBodyBytes: config.VENDO_MAX_JSON_BYTES,
      maxUploadBytes: config.VENDO_MAX_UPLOAD_BYTES,
      maxBodiesBytes: config.VENDO_MAX_BODIES_BYTES,
      upstreamTimeoutMs: config.VENDO_UPSTREAM_TIMEOUT_MS,
      ...PROXY_LIMITS,
      imports: [callers, credentials, objects, ledger, spool],
    });
    return {
      module: GatewayModule,
      imports: [
        RuntimeModule.forApp('gateway', config.VENDO_LOG_LEVEL),
        proxy,
        JobsModule.from({
          everyMs: config.VENDO_JOBS_POLL_MS,
          imports: [callers, credentials, ledger, proxy],
        }),
        BillingModule.from(
          {
            publicUrl: publicUrlOf(config),
            domain: config.VENDO_DOMAIN,
            requestsPerMinute: {
              balance: config.VENDO_BALANCE_REQUESTS_PER_MINUTE,
              cli: config.VENDO_CLI_REQUESTS_PER_MINUTE,
            },
          },
          [callers, identities, readModels, operator],
        ),
        operator,
        PriceFeedsModule.from({ everyMs: config.VENDO_PRICE_REFRESH_MS, places: feedPlaces(config) }, [
          registry,
        ]),
        OpenApiModule,
      ],
    };
  }
}

function publicUrlOf({ VENDO_PUBLIC_URL, VENDO_DOMAIN, GATEWAY_PORT }: GatewayConfig): string {
  return (VENDO_PUBLIC_URL ?? `http://${VENDO_DOMAIN}:${GATEWAY_PORT}`).replace(/\/+$/, '');
}

/** A feed is read where the pool's calls go; without a pool and a sandbox at the provider itself, as lists cost nothing. */
function feedPlaces({ upstreams, pool, VENDO_SANDBOX_URL }: GatewayConfig): FeedPlace[] {
  return PROVIDERS.flatMap(({ slug, upstream, feed }) => {
    if (!feed) return [];
    // All providers of the sandbox share an origin, and some the path of their feed: a name in front tells them apart.
    const unpaid = VENDO_SANDBOX_URL === undefined ? upstream : `${VENDO_SANDBOX_URL}/${slug}`;
    const usual = pool[slug] ? upstream : unpaid;
    return [{ provider: slug, feed, base: upstreams[slug] ?? usual }];
  });
}
