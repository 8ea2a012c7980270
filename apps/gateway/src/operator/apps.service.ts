import { Inject, Injectable } from '@nestjs/common';
import { VendoError } from '@vendo/errors';
import { App } from '@vendo/registry';
import { v7 as uuidv7 } from 'uuid';
import type { z } from 'zod';
import type { AppView, NewKeyView } from './answers.js';
import { CapsService } from './caps.service.js';
import { by, Changes } from './changes.js';
import { KeysService } from './keys.service.js';
import type { AppChange, NewApp } from './requests.js';
import { TenantsService } from './tenants.service.js';

@Injectable()
export class AppsService {
  constructor(
    @Inject(Changes) private readonly changes: Changes,
    @Inject(TenantsService) private readonly tenants: TenantsService,
    @Inject(KeysService) private readonly keys: KeysService,
    @Inject(CapsService) private readonly caps: CapsService,
  ) {}

  /** The caps stand at the ledger before the app exists, so that no call of its can run without them. */
  async create(
    tenantId: string,
    { display_name, ...caps }: z.infer<typeof NewApp>,
  ): Promise<{ app: { id: string }; key: NewKeyView }> {
    await this.tenants.mustExist(tenantId);
    const id = uuidv7();
    const capsSet = await this.caps.setIfAny(tenantId, id, caps);
    return this.changes.make(async (change) => {
      await change.tx.insert(App, { id, tenantId, displayName: display_name });
      const after = { tenant_id: tenantId, display_name, ...capsSet };
      await change.record({ action: 'app.created', subject: id, before: null, after });
      const owner = { tenantId, scope: 'app', appId: id, connectionId: null } as const;
      return { app: { id }, key: await this.keys.issue(change, owner, null) };
    });
  }

  /** Throws VendoError not_found also for the app of another tenant: nobody learns which ids exist. */
  async mustBelong(tenantId: string, id: string): Promise<void> {
    if (!(await this.changes.read.existsBy(App, { id, tenantId }))) throw unknownApp();
  }

  /** @param who asks; absent: the operator. */
  async change(
    id: string,
    { display_name, ...caps }: z.infer<typeof AppChange>,
    who?: string,
  ): Promise<AppView> {
    const { tenantId } = await this.find(id);
    const inForce = await this.caps.set(tenantId, id, caps, who);
    return this.changes.make(async ({ tx, record }) => {
      const app = await tx.findOneOrFail(App, { where: { id }, lock: { mode: 'pessimistic_write' } });
      const name = display_name ?? app.displayName;
      if (name !== app.displayName) await tx.update(App, { id }, { displayName: name });
      const view = { id, display_name: name, ...inForce.after };
      const before = { id, display_name: app.displayName, ...inForce.before };
      await record({ action: 'app.changed', subject: id, before, after: view, ...by(who) });
      return view;
    });
  }

  async issueKey(id: string, displayName: string | undefined): Promise<NewKeyView> {
    const { tenantId } = await this.find(id);
    const owner = { tenantId, scope: 'app', appId: id, connectionId: null } as const;
    return this.changes.make((change) => this.keys.issue(change, owner, displayName ?? null));
  }

  private async find(id: string): Promise<App> {
    const app = await this.changes.read.findOneBy(App, { id });
    if (!app) throw unknownApp();
    return app;
  }
}

function unknownApp(): VendoError {
  return new VendoError('not_found', 'There is no such app.');
}
