import type { Meter } from '@vendo/events';
import { Rational } from '@vendo/money';
import type { Margin, Rate } from '@vendo/pricing';
import type pg from 'pg';
import {
  type ConnectionRecord,
  type KeyRecord,
  type RateMissCount,
  type RegistryChange,
  type RegistryPoll,
  RegistrySource,
} from './registry-source.js';

const ANSWER_WITHIN_MS = 1_500;

/** The statements behind the cache. `changed_at` is the database's, and so is the window: no clock of ours is in it. */
export class PostgresRegistrySource extends RegistrySource {
  constructor(private readonly pool: pg.Pool) {
    super();
  }

  async key(hash: string): Promise<KeyRecord | null> {
    const [row] = await this.query<{
      id: string;
      tenant_id: string;
      app_id: string | null;
      connection_id: string | null;
      expires_at: Date | null;
      revoked: boolean;
    }>(
      `select id, tenant_id, app_id, connection_id, expires_at, revoked_at is not null as revoked
       from registry.keys where key_hash = $1`,
      [Buffer.from(hash, 'hex')],
    );
    if (!row) return null;
    return {
      id: row.id,
      tenantId: row.tenant_id,
      appId: row.app_id,
      connectionId: row.connection_id,
      expiresAtMs: row.expires_at?.getTime() ?? null,
      revoked: row.revoked,
    };
  }

  async bindings(appId: string, provider: string): Promise<readonly string[]> {
    const rows = await this.query<{ connection_id: string }>(
      `select connection_id from registry.bindings
       where app_id = $1 and provider_slug = $2 and deleted_at is null order by created_order`,
      [appId, provider],
    );
    return rows.map(({ connection_id }) => connection_id);
  }

  async connection(id: string): Promise<ConnectionRecord | null> {
    const [row] = await this.query<{
      id: string;
      tenant_id: string;
      provider: string;
      profile: string;
      status: ConnectionRecord['status'];
      sealed_credential: Buffer | null;
    }>(
      'select id, tenant_id, provider, profile, status, sealed_credential from registry.connections where id = $1',
      [id],
    );
    if (!row) return null;
    const { tenant_id: tenantId, sealed_credential: sealedCredential, ...rest } = row;
    return { ...rest, tenantId, sealedCredential };
  }

  async poll(since: string | null): Promise<RegistryPoll> {
    const rows = await this.query<Omit<RegistryChange, 'kind'> & { kind: RegistryChange['kind'] | 'head' }>(
      `with recent as (select coalesce($1::timestamptz, clock_timestamp()) - interval '30 seconds' as since)
       select 'head' as kind, clock_timestamp()::text as entry, version::text as mark from registry.rate_version
       union all
       select 'key', encode(key_hash, 'hex'), id || ' ' || changed_at
         from registry.keys where changed_at > (select since from recent)
       union all
       select 'connection', id::text, id || ' ' || changed_at
         from registry.connections where changed_at > (select since from recent)
       union all
       select 'bindings', app_id || '/' || provider_slug, id || ' ' || changed_at
         from registry.bindings where changed_at > (select since from recent)`,
      [since],
    );
    const head = rows.find(({ kind }) => kind === 'head');
    if (!head) throw new Error('registry.rate_version has no row');
    const changes = rows.filter((row): row is RegistryChange => row.kind !== 'head');
    return { now: head.entry, rateVersion: Number(head.mark), changes };
  }

  async prices(from: number, to: number): Promise<{ rates: Rate[]; margins: Margin[] }> {
    const [rates, margins] = await Promise.all([
      this.query<RateRow>(
        `select provider, model, meter, tier, context_from, unit_cost_usd::text, per::text, free, effective_from, version
         from registry.rates where version > $1 and version <= $2 order by version, id`,
        [from, to],
      ),
      this.query<MarginRow>(
        `select tenant_id, integration, meter, margin_pct::text, effective_from, version
         from registry.margins where version > $1 and version <= $2 order by version, id`,
        [from, to],
      ),
    ]);
    return { rates: rates.map(rateOf), margins: margins.map(marginOf) };
  }

  async addRateMisses(misses: readonly RateMissCount[]): Promise<void> {
    await this.query(
      `insert into registry.rate_misses (hour, tenant_id, provider, model, meter, count)
       select date_trunc('hour', clock_timestamp(), 'UTC'), tenant_id, provider, model, meter, count
       from unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::bigint[]) as miss(tenant_id, provider, model, meter, count)
       -- One order everywhere, so that two gateways cannot deadlock.
       order by tenant_id, provider, model, meter
       on conflict (hour, tenant_id, provider, model, meter) do update set count = rate_misses.count + excluded.count`,
      [
        misses.map(({ tenantId }) => tenantId),
        misses.map(({ provider }) => provider),
        misses.map(({ model }) => model),
        misses.map(({ meter }) => meter),
        misses.map(({ count }) => count),
      ],
    );
  }

  private async query<Row extends pg.QueryResultRow>(text: string, values: unknown[]): Promise<Row[]> {
    // A database that swallows packets answers nothing at all; the connection is then given up.
    const query: pg.QueryConfig & { query_timeout: number } = {
      text,
      values,
      query_timeout: ANSWER_WITHIN_MS,
    };
    return (await this.pool.query<Row>(query)).rows;
  }
}

interface RateRow {
  provider: string;
  model: string;
  meter: Meter;
  tier: string;
  context_from: number;
  unit_cost_usd: string;
  per: string;
  free: boolean;
  effective_from: Date;
  version: number;
}

interface MarginRow {
  tenant_id: string | null;
  integration: string | null;
  meter: Meter | null;
  margin_pct: string;
  effective_from: Date;
  version: number;
}

function rateOf({ context_from, unit_cost_usd, per, effective_from, ...row }: RateRow): Rate {
  return {
    ...row,
    contextFrom: context_from,
    unitCostUsd: Rational.parse(unit_cost_usd),
    per: Rational.parse(per),
    effectiveFrom: effective_from.getTime(),
  };
}

function marginOf({ tenant_id, margin_pct, effective_from, ...row }: MarginRow): Margin {
  return {
    ...row,
    tenantId: tenant_id,
    marginPct: Rational.parse(margin_pct),
    effectiveFrom: effective_from.getTime(),
  };
}
