import { Inject, Injectable } from '@nestjs/common';
import { VendoError } from '@vendo/errors';
import { Margin, nextRateVersion, Rate, RateMiss } from '@vendo/registry';
import type { EntityManager } from 'typeorm';
import { v7 as uuidv7 } from 'uuid';
import type { z } from 'zod';
import type { MarginView, RateMissView } from './answers.js';
import { Changes } from './changes.js';
import { knownProvider } from './known-provider.js';
import { OPERATOR_CONFIG, type OperatorConfig } from './operator-config.js';
import type { NewMargin, NewRates } from './requests.js';
import { TenantsService } from './tenants.service.js';

const MISSES_MAX = 1_000;

/** Rates and margins are only ever added: a price in force stays what it was, a correction is an entry. */
@Injectable()
export class PricesService {
  constructor(
    @Inject(Changes) private readonly changes: Changes,
    @Inject(TenantsService) private readonly tenants: TenantsService,
    @Inject(OPERATOR_CONFIG) private readonly config: OperatorConfig,
  ) {}

  /** In force from `effective_from`, by default from now, for calls that name the new version. Throws VendoError invalid_request, not_found. */
  async addMargin(asked: z.infer<typeof NewMargin>): Promise<MarginView> {
    const { tenant_id, integration, meter, margin_pct } = asked;
    if (integration !== null) knownProvider(this.config, 'integration', integration);
    if (tenant_id !== null) await this.tenants.mustExist(tenant_id);
    return this.changes.make(async ({ tx, record }) => {
      const { version, now } = await nextPrices(tx);
      const effectiveFrom = startOf('effective_from', asked.effective_from, now);
      const marginPct = margin_pct.toDecimal();
      const id = uuidv7();
      await tx.insert(Margin, {
        id,
        tenantId: tenant_id,
        integration,
        meter,
        marginPct,
        effectiveFrom,
        version,
      });
      const view = {
        tenant_id,
        integration,
        meter,
        margin_pct: marginPct,
        effective_from: effectiveFrom.toISOString(),
      };
      await record({ action: 'margin.added', subject: id, before: null, after: { ...view, version } });
      return view;
    });
  }

  /** All rows or none, under one new version; answers how many. Throws VendoError invalid_request. */
  async addRates(asked: z.infer<typeof NewRates>['rates']): Promise<number> {
    for (const [n, { provider }] of asked.entries())
      knownProvider(this.config, `rates.${n}.provider`, provider);
    return this.changes.make(async ({ tx, record }) => {
      const { version, now } = await nextPrices(tx);
      const rows = asked.map((rate, n) => ({
        id: uuidv7(),
        provider: rate.provider,
        model: rate.model,
        meter: rate.meter,
        tier: rate.tier,
        contextFrom: rate.context_from,
        unitCostUsd: rate.unit_cost_usd.toDecimal(),
        per: rate.per.toDecimal(),
        free: rate.free,
        effectiveFrom: startOf(`rates.${n}.effective_from`, rate.effective_from, now),
        version,
      }));
      await tx.insert(Rate, rows);
      const after = { version, rates: rows };
      await record({ action: 'rates.added', subject: `rate_version ${version}`, before: null, after });
      return rows.length;
    });
  }

  /** The newest hours first. */
  async misses(): Promise<RateMissView[]> {
    const rows = await this.changes.read.find(RateMiss, { order: { hour: 'DESC' }, take: MISSES_MAX });
    return rows.map(({ hour, tenantId, provider, model, meter, count }) => ({
      hour: hour.toISOString(),
      tenant_id: tenantId,
      provider,
      model,
      meter: meter === '' ? null : meter,
      count: Number(count),
    }));
  }
}

/** The version of what is about to be added, and the database's time under the counter's lock. */
async function nextPrices(tx: EntityManager): Promise<{ version: number; now: Date }> {
  const version = await nextRateVersion(tx);
  const [row] = await tx.query<{ now: Date }[]>('select clock_timestamp() as now');
  if (!row) throw new Error('the database did not tell the time');
  return { version, now: row.now };
}

/** A price may begin now or later. */
function startOf(field: string, asked: Date | undefined, now: Date): Date {
  if (asked === undefined) return now;
  if (asked < now)
    throw new VendoError(
      'invalid_request',
      `${field}: is in the past; a correction is an entry, not a rewrite`,
    );
  return asked;
}
