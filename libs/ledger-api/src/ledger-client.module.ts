import { type DynamicModule, Inject, Module, type OnApplicationShutdown } from '@nestjs/common';
import { Clock } from '@vendo/runtime';
import { HttpLedgerClient } from './http.ledger-client.js';
import { LedgerClient } from './ledger-client.js';

export interface LedgerClientConfig {
  /** Origins of one ledger or more, e.g. `http://127.0.0.1:8090`; they name the others. */
  seeds: readonly string[];
  /** VENDO_INTERNAL_TOKEN. */
  token: string;
}

/** Provides LedgerClient, with the Clock of RuntimeModule, and closes it when the app has shut down. */
@Module({})
export class LedgerClientModule implements OnApplicationShutdown {
  constructor(@Inject(LedgerClient) private readonly client: LedgerClient) {}

  static from({ seeds, token }: LedgerClientConfig): DynamicModule {
    return {
      module: LedgerClientModule,
      providers: [
        {
          provide: LedgerClient,
          useFactory: (clock: Clock) => new HttpLedgerClient(seeds, token, clock),
          inject: [Clock],
        },
      ],
      exports: [LedgerClient],
    };
  }

  async onApplicationShutdown(): Promise<void> {
    await this.client.close();
  }
}
