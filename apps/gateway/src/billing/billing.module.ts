import { type DynamicModule, Module, type ModuleMetadata } from '@nestjs/common';
import { Balances } from './balances.js';
import { BillingController } from './billing.controller.js';
import { BILLING_CONFIG, type BillingConfig } from './billing-config.js';
import { CliController } from './cli.controller.js';
import { Readers } from './readers.js';
import { RequestLimits } from './request-limits.js';
import { SpendCapsService } from './spend-caps.service.js';

/** The billing API. `imports` provide Callers, Identities, ReadModels and the services of the operator API. */
@Module({})
export class BillingModule {
  static from(config: BillingConfig, imports: NonNullable<ModuleMetadata['imports']>): DynamicModule {
    return {
      module: BillingModule,
      imports,
      controllers: [BillingController, CliController],
      providers: [
        { provide: BILLING_CONFIG, useValue: config },
        Readers,
        RequestLimits,
        Balances,
        SpendCapsService,
      ],
    };
  }
}
