import { VendoError } from '@vendo/errors';
import type { OperatorConfig } from './operator-config.js';

/** Throws VendoError invalid_request for a slug that this gateway does not serve. @param field where the slug was given. */
export function knownProvider({ providers }: OperatorConfig, field: string, slug: string): string {
  if (providers.includes(slug)) return slug;
  throw new VendoError('invalid_request', `${field}: must be one of ${providers.join(', ')}`);
}
