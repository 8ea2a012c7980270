export { seedCatalogue } from './catalogue.js';
export {
  type CatalogueRow,
  IMPORTED_PRICES,
  PRICES_BY_HAND,
  readCatalogue,
  readCatalogueFile,
  readCatalogueText,
  writeCatalogue,
} from './catalogue-file.js';
export { App } from './entities/app.js';
export { Audit } from './entities/audit.js';
export { Binding } from './entities/binding.js';
export { Connection } from './entities/connection.js';
export { Key } from './entities/key.js';
export { Margin } from './entities/margin.js';
export { Rate } from './entities/rate.js';
export { RateMiss } from './entities/rate-miss.js';
export { Tenant } from './entities/tenant.js';
export { migrateRegistry, openRegistry } from './open-registry.js';
export { nextRateVersion } from './rate-version.js';
export { RegistryModule } from './registry.module.js';
