import { type DynamicModule, Inject, Module, type OnApplicationShutdown } from '@nestjs/common';
import { Clock } from '@vendo/runtime';
import { HttpLedgerClient } from './http.ledger-client.js';
import { LedgerClient } from './ledger-client.js';

export interface LedgerClientConfig {
  /** The ledger's origin, e.g. `http://127.0.0.1:8090`. */
  url: string;
  /** VENDO_INTERNAL_TOKEN. */
  token: string;
}

/** Provides LedgerClient, with the Clock of RuntimeModule, and closes it when the app has shut down. */
@Module({})
export class LedgerClientModule implements OnApplicationShutdown {
  constructor(@Inject(LedgerClient) private readonly client: LedgerClient) {}

  static from({ url, token }: LedgerClientConfig): DynamicModule {
    return {
      module: LedgerClientModule,
      providers: [
        {
          provide: LedgerClient,
          useFactory: (clock: Clock) => new HttpLedgerClient(url, token, clock),
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
