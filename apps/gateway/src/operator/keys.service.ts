import { Inject, Injectable } from '@nestjs/common';
import { VendoError } from '@vendo/errors';
import { Key } from '@vendo/registry';
import { v7 as uuidv7 } from 'uuid';
import type { NewKeyView } from './answers.js';
import type { CapsView } from './caps.service.js';
import { type Change, Changes } from './changes.js';
import { issueKey } from './issued-key.js';

export type KeyOwner =
  | { tenantId: string; scope: 'app'; appId: string; connectionId: null }
  | { tenantId: string; scope: 'connection'; appId: null; connectionId: string };

@Injectable()
export class KeysService {
  constructor(@Inject(Changes) private readonly changes: Changes) {}

  /**
   * Issues a key as part of a change.
   * @param own given for a key that is a cap subject of its own, whose caps stand before it exists.
   */
  async issue(
    { tx, record }: Change,
    owner: KeyOwner,
    displayName: string | null,
    own: { id: string; caps: CapsView | null } = { id: uuidv7(), caps: null },
  ): Promise<NewKeyView> {
    const { id, caps } = own;
    const { plaintext, hash, prefix } = issueKey();
    await tx.insert(Key, { id, ...owner, keyHash: hash, prefix, displayName });
    const { tenantId: tenant_id, scope, appId: app_id, connectionId: connection_id } = owner;
    const after = { tenant_id, scope, app_id, connection_id, prefix, display_name: displayName, ...caps };
    await record({ action: 'key.issued', subject: id, before: null, after });
    return { id, prefix, plaintext };
  }

  /** Ends a key for good; a repeat answers the first revocation. Throws VendoError not_found. */
  revoke(id: string): Promise<Date> {
    return this.changes.make(async ({ tx, record }) => {
      const key = await tx.findOne(Key, { where: { id }, lock: { mode: 'pessimistic_write' } });
      if (!key) throw new VendoError('not_found', 'There is no such key.');
      if (key.revokedAt) return key.revokedAt;
      const revokedAt = new Date();
      await tx.update(Key, { id }, { revokedAt });
      const after = { revoked_at: revokedAt.toISOString() };
      await record({ action: 'key.revoked', subject: id, before: { revoked_at: null }, after });
      return revokedAt;
    });
  }
}
