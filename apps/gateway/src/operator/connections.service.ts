import { Inject, Injectable } from '@nestjs/common';
import { VendoError } from '@vendo/errors';
import { Connection } from '@vendo/registry';
import { v7 as uuidv7 } from 'uuid';
import type { z } from 'zod';
import { CredentialVault } from '../credentials/credential-vault.js';
import type { ConnectionView, NewKeyView } from './answers.js';
import { CapsService } from './caps.service.js';
import { Changes } from './changes.js';
import { KeysService } from './keys.service.js';
import { knownProvider } from './known-provider.js';
import { OPERATOR_CONFIG, type OperatorConfig } from './operator-config.js';
import type { ConnectionStatus, NewConnection, NewConnectionKey } from './requests.js';
import { TenantsService } from './tenants.service.js';

type Status = z.infer<typeof ConnectionStatus>;

@Injectable()
export class ConnectionsService {
  constructor(
    @Inject(Changes) private readonly changes: Changes,
    @Inject(TenantsService) private readonly tenants: TenantsService,
    @Inject(KeysService) private readonly keys: KeysService,
    @Inject(CapsService) private readonly caps: CapsService,
    @Inject(CredentialVault) private readonly vault: CredentialVault,
    @Inject(OPERATOR_CONFIG) private readonly config: OperatorConfig,
  ) {}

  async create(tenantId: string, asked: z.infer<typeof NewConnection>): Promise<ConnectionView> {
    const { profile, credential } = asked;
    const provider = knownProvider(this.config, 'provider', asked.provider);
    await this.tenants.mustExist(tenantId);
    const view: ConnectionView = { id: uuidv7(), provider, profile, status: 'active' };
    return this.changes.make(async ({ tx, record }) => {
      await tx.insert(Connection, {
        id: view.id,
        tenantId,
        provider,
        profile,
        status: 'active',
        displayName: asked.display_name ?? null,
        sealedCredential: credential === undefined ? null : this.vault.seal(textOf(credential), view.id),
      });
      const after = { tenant_id: tenantId, ...view, display_name: asked.display_name ?? null };
      await record({ action: 'connection.created', subject: view.id, before: null, after });
      return view;
    });
  }

  /** Revoking forgets the credential, so a connection that had one of its own stays revoked. Throws VendoError not_found, invalid_request. */
  setStatus(id: string, status: Status): Promise<ConnectionView> {
    return this.changes.make(async ({ tx, record }) => {
      const connection = await tx.findOne(Connection, { where: { id }, lock: { mode: 'pessimistic_write' } });
      if (!connection) throw new VendoError('not_found', 'There is no such connection.');
      const { provider, profile } = connection;
      const forgotten = profile !== 'vendo_managed_pool' && connection.status === 'revoked';
      if (forgotten && status !== 'revoked')
        throw new VendoError('invalid_request', 'status: the credential is gone; make a new connection');
      const view: ConnectionView = { id, provider, profile, status };
      if (connection.status === status) return view;
      await tx.update(
        Connection,
        { id },
        status === 'revoked' ? { status, sealedCredential: null } : { status },
      );
      const before = { ...view, status: connection.status };
      await record({ action: 'connection.changed', subject: id, before, after: view });
      return view;
    });
  }

  /** The key is a cap subject of its own; its caps stand at the ledger before it exists. */
  async issueKey(
    connectionId: string,
    { display_name, ...caps }: z.infer<typeof NewConnectionKey>,
  ): Promise<NewKeyView> {
    const connection = await this.changes.read.findOneBy(Connection, { id: connectionId });
    if (!connection) throw new VendoError('not_found', 'There is no such connection.');
    const { tenantId } = connection;
    const id = uuidv7();
    const capped = { id, caps: await this.caps.setIfAny(tenantId, id, caps) };
    const owner = { tenantId, scope: 'connection', appId: null, connectionId } as const;
    return this.changes.make((change) => this.keys.issue(change, owner, display_name ?? null, capped));
  }
}

/** A connected account is sealed as JSON. */
function textOf(credential: NonNullable<z.infer<typeof NewConnection>['credential']>): string {
  return typeof credential === 'string' ? credential : JSON.stringify(credential);
}
