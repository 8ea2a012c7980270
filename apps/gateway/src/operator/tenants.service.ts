import { Inject, Injectable } from '@nestjs/common';
import { VendoError } from '@vendo/errors';
import { type CreditEntry, type GrantCredit, LedgerClient } from '@vendo/ledger-api';
import { Audit, Tenant } from '@vendo/registry';
import { v7 as uuidv7 } from 'uuid';
import type { Identity } from '../identities/identities.js';
import type { TenantView } from './answers.js';
import { Changes } from './changes.js';

const NAME_CHARS_MAX = 200;

@Injectable()
export class TenantsService {
  constructor(
    @Inject(Changes) private readonly changes: Changes,
    @Inject(LedgerClient) private readonly ledger: LedgerClient,
  ) {}

  create(name: string, is_test: boolean): Promise<TenantView> {
    return this.changes.make(async ({ tx, record }) => {
      const tenant = { id: uuidv7(), name, is_test };
      await tx.insert(Tenant, { id: tenant.id, name, isTest: is_test });
      await record({ action: 'tenant.created', subject: tenant.id, before: null, after: tenant });
      return tenant;
    });
  }

  /**
   * The tenant of a user of the identity provider; the first sight makes it, once, however many arrive together.
   * @param email names it; without one its subject does.
   */
  async ensure({ subject, email }: Identity): Promise<string> {
    const known = await this.changes.read.findOneBy(Tenant, { externalSubject: subject });
    if (known) return known.id;
    return this.changes.make(async ({ tx, record }) => {
      const tenant = { id: uuidv7(), name: (email ?? subject).slice(0, NAME_CHARS_MAX), is_test: false };
      const made = await tx.query<unknown[]>(
        `insert into registry.tenants (id, name, is_test, external_subject) values ($1, $2, false, $3)
         on conflict (external_subject) do nothing returning id`,
        [tenant.id, tenant.name, subject],
      );
      if (made.length === 0) return (await tx.findOneByOrFail(Tenant, { externalSubject: subject })).id;
      const after = { ...tenant, external_subject: subject };
      await record({ action: 'tenant.created', subject: tenant.id, before: null, after, who: 'identity' });
      return tenant.id;
    });
  }

  /**
   * Posts credit at the ledger, which decides by the idempotency key; then its audit row, once, also when a first try
   * died between the two and the caller repeats it. That it was asked for is in the audit before. Throws not_found, idempotency_conflict, billing_unavailable.
   */
  async credit(credit: GrantCredit): Promise<CreditEntry> {
    await this.mustExist(credit.tenant_id);
    await this.changes.announce({
      action: 'credit.asked',
      subject: credit.tenant_id,
      before: null,
      after: credit,
    });
    const entry = await this.ledger.grantCredit(credit);
    await this.changes.make(async ({ tx, record }) => {
      // The tenant's row is the lock that makes "once" hold for repeats that run side by side.
      await tx.findOneOrFail(Tenant, {
        where: { id: credit.tenant_id },
        lock: { mode: 'pessimistic_write' },
      });
      if (await tx.existsBy(Audit, { action: 'credit.granted', subject: entry.id })) return;
      const { tenant_id, source, note, idempotency_key } = credit;
      const after = { ...entry, tenant_id, source, note, idempotency_key };
      await record({ action: 'credit.granted', subject: entry.id, before: null, after });
    });
    return entry;
  }

  /** Throws VendoError not_found. */
  async mustExist(tenantId: string): Promise<void> {
    if (!(await this.changes.read.existsBy(Tenant, { id: tenantId })))
      throw new VendoError('not_found', 'There is no such tenant.');
  }
}
