import { type DynamicModule, Module, type ModuleMetadata } from '@nestjs/common';
import { BillingController } from './billing.controller.js';
import { BILLING_CONFIG, type BillingConfig } from './billing-config.js';

/** The billing API. `imports` provide Callers and ReadModels. */
@Module({})
export class BillingModule {
  static from(config: BillingConfig, imports: NonNullable<ModuleMetadata['imports']>): DynamicModule {
    return {
      module: BillingModule,
      imports,
      controllers: [BillingController],
      providers: [{ provide: BILLING_CONFIG, useValue: config }],
    };
  }
}
