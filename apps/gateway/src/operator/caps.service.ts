import { Inject, Injectable } from '@nestjs/common';
import { type Caps, LedgerClient } from '@vendo/ledger-api';
import { type Micros, microsToWire } from '@vendo/money';
import { by, Changes } from './changes.js';

/** What an operator asks for: absent leaves a cap as it is, null clears it. */
export interface AskedCaps {
  spend_cap_daily?: Micros | null | undefined;
  spend_cap_monthly?: Micros | null | undefined;
}

export interface CapsView {
  spend_cap_micros_daily: number | null;
  spend_cap_micros_monthly: number | null;
}

/** Spend caps are the ledger's state; the registry keeps none. `subject` is an app, or a connection key. */
@Injectable()
export class CapsService {
  constructor(
    @Inject(LedgerClient) private readonly ledger: LedgerClient,
    @Inject(Changes) private readonly changes: Changes,
  ) {}

  /** Those that the ledger holds calls to right now. */
  async inForce(tenantId: string, subject: string): Promise<CapsView> {
    // A command that names no cap changes nothing and answers those in force.
    return view(await this.ledger.setCaps({ tenant_id: tenantId, subject }));
  }

  /** Resolves when the caps are committed, with those before and after. @param who asks; absent: the operator. */
  async set(
    tenantId: string,
    subject: string,
    asked: AskedCaps,
    who?: string,
  ): Promise<{ before: CapsView; after: CapsView }> {
    const name = { tenant_id: tenantId, subject };
    const before = await this.inForce(tenantId, subject);
    const { spend_cap_daily: daily, spend_cap_monthly: monthly } = asked;
    if (daily === undefined && monthly === undefined) return { before, after: before };
    const caps = {
      ...(daily === undefined ? {} : { daily_micros: wire(daily) }),
      ...(monthly === undefined ? {} : { monthly_micros: wire(monthly) }),
    };
    await this.changes.announce({
      action: 'caps.asked',
      subject,
      before,
      after: { ...name, ...caps },
      ...by(who),
    });
    return { before, after: view(await this.ledger.setCaps({ ...name, ...caps })) };
  }

  /** For a subject that is new: says nothing to the ledger when no cap is asked for. */
  async setIfAny(tenantId: string, subject: string, asked: AskedCaps): Promise<CapsView> {
    const given = [asked.spend_cap_daily, asked.spend_cap_monthly].some(
      (cap) => cap !== undefined && cap !== null,
    );
    if (!given) return { spend_cap_micros_daily: null, spend_cap_micros_monthly: null };
    return (await this.set(tenantId, subject, asked)).after;
  }
}

function view({ daily_micros, monthly_micros }: Caps): CapsView {
  return { spend_cap_micros_daily: daily_micros, spend_cap_micros_monthly: monthly_micros };
}

function wire(cap: Micros | null): number | null {
  return cap === null ? null : microsToWire(cap);
}
