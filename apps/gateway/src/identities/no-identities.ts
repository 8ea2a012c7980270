import { VendoError } from '@vendo/errors';
import { Identities, type Identity } from './identities.js';

/** Without an identity provider there is no good token. */
export class NoIdentities extends Identities {
  async identify(): Promise<Identity> {
    throw new VendoError('app_unknown');
  }
}
