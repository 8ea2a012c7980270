import { VendoError } from '@vendo/errors';
import type { Connection } from '../callers/callers.js';
import type { KeptObject } from '../objects/object-table.js';
import type { StoredObjects } from '../objects/stored-objects.js';
import type { Account, StoredObject } from '../providers/provider.js';

/** Whether what a request names in the provider's account is the caller's to name. */
export class NamedObjects {
  constructor(private readonly objects: StoredObjects) {}

  /**
   * What is known of an object that a request names. Null: nothing, on an account of the tenant's own.
   * Throws VendoError object_not_found where the account is shared and no answer to this tenant has named it,
   * billing_unavailable where that cannot be known.
   */
  async lookUp(
    { id: connectionId, provider }: Connection,
    { tenantId, isShared }: Account,
    objectId: string,
  ): Promise<KeptObject | null> {
    const asked = this.objects.find({ provider, connectionId, objectId });
    const found = await (isShared ? asked : asked.catch(() => null));
    const own = found?.tenantId === tenantId ? found : null;
    if (own === null && isShared) throw new VendoError('object_not_found');
    return own;
  }

  /** Throws as `lookUp`. */
  async assertOwn(
    connection: Connection,
    account: Account,
    objects: readonly StoredObject[] = [],
  ): Promise<void> {
    if (!account.isShared) return;
    for (const { id } of objects) await this.lookUp(connection, account, id);
  }
}

/** What is stored in an account that tenants share, and has come from no answer of ours, is nobody's to name. */
export function refuseForeignObjects({ isShared }: Account, objects: readonly string[] = []): void {
  if (!isShared || objects.length === 0) return;
  throw new VendoError(
    'invalid_body',
    `The provider's account is shared here, so objects stored in it cannot be named: ${objects.join(', ')}.`,
  );
}
