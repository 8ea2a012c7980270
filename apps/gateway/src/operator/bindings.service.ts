import { Inject, Injectable } from '@nestjs/common';
import { VendoError } from '@vendo/errors';
import { App, Binding, Connection, Tenant } from '@vendo/registry';
import { type EntityManager, IsNull, Not } from 'typeorm';
import { v7 as uuidv7 } from 'uuid';
import type { BindingView } from './answers.js';
import { type Change, Changes } from './changes.js';
import { knownProvider } from './known-provider.js';
import { OPERATOR_CONFIG, type OperatorConfig } from './operator-config.js';

const POOL = 'vendo_managed_pool';

@Injectable()
export class BindingsService {
  constructor(
    @Inject(Changes) private readonly changes: Changes,
    @Inject(OPERATOR_CONFIG) private readonly config: OperatorConfig,
  ) {}

  /**
   * Binds an app to a connection of its tenant; without one, to the tenant's managed-pool connection of the provider,
   * which is made when first needed. The same binding again answers the one there is.
   * Throws VendoError not_found, invalid_request.
   */
  bind(appId: string, slug: string, connectionId: string | undefined): Promise<BindingView> {
    const provider = knownProvider(this.config, 'provider_slug', slug);
    return this.changes.make(async (change) => {
      const { tx, record } = change;
      const { tenantId } = await findApp(tx, appId);
      // One binder of a tenant at a time: neither a pool connection nor a binding is made twice.
      await tx.findOneOrFail(Tenant, { where: { id: tenantId }, lock: { mode: 'pessimistic_write' } });
      const connection =
        connectionId === undefined
          ? await this.poolConnection(change, tenantId, provider)
          : await usable(tx, tenantId, provider, connectionId);
      const found = await tx.findOneBy(Binding, {
        appId,
        providerSlug: provider,
        connectionId: connection,
        deletedAt: IsNull(),
      });
      const id = found?.id ?? uuidv7();
      const view: BindingView = { id, app_id: appId, provider_slug: provider, connection_id: connection };
      if (found) return view;
      await tx.insert(Binding, { id, tenantId, appId, providerSlug: provider, connectionId: connection });
      await record({ action: 'binding.created', subject: id, before: null, after: view });
      return view;
    });
  }

  /** Ends all bindings of the app and provider. Throws VendoError not_found when there is none. */
  unbind(appId: string, slug: string): Promise<void> {
    return this.changes.make(async ({ tx, record }) => {
      await findApp(tx, appId);
      const bindings = await tx.find(Binding, {
        where: { appId, providerSlug: slug, deletedAt: IsNull() },
        order: { id: 'ASC' },
        lock: { mode: 'pessimistic_write' },
      });
      if (bindings.length === 0) throw new VendoError('not_found', 'There is no such binding.');
      for (const { id, connectionId } of bindings) {
        await tx.update(Binding, { id }, { deletedAt: new Date() });
        const before = { id, app_id: appId, provider_slug: slug, connection_id: connectionId };
        await record({ action: 'binding.deleted', subject: id, before, after: null });
      }
    });
  }

  private async poolConnection({ tx, record }: Change, tenantId: string, provider: string): Promise<string> {
    const found = await tx.findOne(Connection, {
      where: { tenantId, provider, profile: POOL, status: Not('revoked') },
      order: { id: 'ASC' },
    });
    if (found) return found.id;
    const view = { id: uuidv7(), provider, profile: POOL, status: 'active' } as const;
    await tx.insert(Connection, { ...view, tenantId, displayName: null, sealedCredential: null });
    const after = { tenant_id: tenantId, ...view, display_name: null };
    await record({ action: 'connection.created', subject: view.id, before: null, after });
    return view.id;
  }
}

async function findApp(tx: EntityManager, id: string): Promise<App> {
  const app = await tx.findOneBy(App, { id });
  if (!app) throw new VendoError('not_found', 'There is no such app.');
  return app;
}

/** Unknown and foreign ids get the same answer, so that nobody learns which ids exist. */
async function usable(tx: EntityManager, tenantId: string, provider: string, id: string): Promise<string> {
  const connection = await tx.findOneBy(Connection, { id, tenantId });
  if (!connection) throw new VendoError('not_found', 'There is no such connection.');
  if (connection.provider !== provider)
    throw new VendoError('invalid_request', `connection_id: is a connection of ${connection.provider}`);
  if (connection.status === 'revoked')
    throw new VendoError('invalid_request', 'connection_id: the connection is revoked');
  return id;
}
