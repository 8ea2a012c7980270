import { type DynamicModule, Module, type ModuleMetadata } from '@nestjs/common';
import { AppsController } from './apps.controller.js';
import { AppsService } from './apps.service.js';
import { BindingsService } from './bindings.service.js';
import { CapsService } from './caps.service.js';
import { Changes } from './changes.js';
import { ConnectionsController } from './connections.controller.js';
import { ConnectionsService } from './connections.service.js';
import { KeysService } from './keys.service.js';
import { OPERATOR_CONFIG, type OperatorConfig } from './operator-config.js';
import { PricesController } from './prices.controller.js';
import { PricesService } from './prices.service.js';
import { RepairsController } from './repairs.controller.js';
import { RepairsService } from './repairs.service.js';
import { ReportsController } from './reports.controller.js';
import { TenantsController } from './tenants.controller.js';
import { TenantsService } from './tenants.service.js';

/** The operator API, and the services by which the billing API changes what is its tenant's. `imports` provide the registry's DataSource, ReadModels, LedgerClient and CredentialVault. */
@Module({})
export class OperatorModule {
  static from(config: OperatorConfig, imports: NonNullable<ModuleMetadata['imports']>): DynamicModule {
    return {
      module: OperatorModule,
      imports,
      controllers: [
        TenantsController,
        AppsController,
        ConnectionsController,
        PricesController,
        ReportsController,
        RepairsController,
      ],
      providers: [
        { provide: OPERATOR_CONFIG, useValue: config },
        Changes,
        TenantsService,
        AppsService,
        BindingsService,
        CapsService,
        ConnectionsService,
        KeysService,
        PricesService,
        RepairsService,
      ],
      exports: [AppsService, CapsService, TenantsService],
    };
  }
}
