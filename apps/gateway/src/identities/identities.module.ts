import { type DynamicModule, Module } from '@nestjs/common';
import { Clock, LOGGER, type Logger } from '@vendo/runtime';
import { CachedKeys } from './cached-keys.js';
import { HttpKeySource } from './http.key-source.js';
import { Identities } from './identities.js';
import { type Expected, JwtIdentities } from './jwt-identities.js';
import { NoIdentities } from './no-identities.js';

/** Provides Identities. */
@Module({})
export class IdentitiesModule {
  /** @param jwksUrl where the identity provider publishes its keys; absent: no token is good. */
  static from({ jwksUrl, ...expected }: { jwksUrl?: string | undefined } & Expected): DynamicModule {
    const useFactory = (clock: Clock, logger: Logger): Identities =>
      jwksUrl === undefined
        ? new NoIdentities()
        : new JwtIdentities(new CachedKeys(new HttpKeySource(jwksUrl), clock, logger), expected);
    return {
      module: IdentitiesModule,
      providers: [{ provide: Identities, useFactory, inject: [Clock, LOGGER] }],
      exports: [Identities],
    };
  }
}
