import { randomBytes, randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { createTestDatabase, type TestDatabase } from '@vendo/testing';
import type { DataSource } from 'typeorm';
import { seedCatalogue } from './catalogue.js';
import { readCatalogue } from './catalogue-file.js';
import { App } from './entities/app.js';
import { Binding } from './entities/binding.js';
import { Connection } from './entities/connection.js';
import { Key } from './entities/key.js';
import { Margin } from './entities/margin.js';
import { Rate } from './entities/rate.js';
import { Tenant } from './entities/tenant.js';
import { migrateRegistry, openRegistry } from './open-registry.js';
import { nextRateVersion } from './rate-version.js';

let database: TestDatabase;
let registry: DataSource;

beforeAll(async () => {
  database = await createTestDatabase();
  await Promise.all([migrateRegistry(database.url), migrateRegistry(database.url)]);
  registry = await openRegistry(database.url);
});

afterAll(async () => {
  await registry.destroy();
  await database.drop();
});

async function tenantWithApp() {
  const tenantId = randomUUID();
  await registry.manager.insert(Tenant, { id: tenantId, name: 'T', isTest: true });
  const appId = randomUUID();
  await registry.manager.insert(App, { id: appId, tenantId, displayName: 'A' });
  return { tenantId, appId };
}

async function connectionOf(tenantId: string, provider = 'openai'): Promise<string> {
  const id = randomUUID();
  await registry.manager.insert(Connection, {
    ...{ id, tenantId, provider, profile: 'byok_static', status: 'active' },
    sealedCredential: Buffer.from([1, 2]),
  });
  return id;
}

const binding = (tenantId: string, appId: string, connectionId: string, providerSlug = 'openai') =>
  registry.manager.insert(Binding, { id: randomUUID(), tenantId, appId, providerSlug, connectionId });

describe('the registry', () => {
  it('refuses to bind an app to a connection of another tenant, whichever tenant is named', async () => {
    const [own, other] = [await tenantWithApp(), await tenantWithApp()];
    const foreign = await connectionOf(other.tenantId);
    await expect(binding(own.tenantId, own.appId, foreign)).rejects.toThrow(/foreign key/);
    await expect(binding(other.tenantId, own.appId, foreign)).rejects.toThrow(/foreign key/);
  });

  it('refuses to bind a connection under another provider', async () => {
    const { tenantId, appId } = await tenantWithApp();
    const connection = await connectionOf(tenantId, 'anthropic');
    await expect(binding(tenantId, appId, connection, 'openai')).rejects.toThrow(/foreign key/);
    await binding(tenantId, appId, connection, 'anthropic');
  });

  it('refuses the same live binding twice, and keeps their order', async () => {
    const { tenantId, appId } = await tenantWithApp();
    const [first, second] = [await connectionOf(tenantId), await connectionOf(tenantId)];
    await binding(tenantId, appId, second);
    await binding(tenantId, appId, first);
    await expect(binding(tenantId, appId, first)).rejects.toThrow(/duplicate key/);
    const found = await registry.manager.find(Binding, { where: { appId }, order: { createdOrder: 'ASC' } });
    expect(found.map(({ connectionId }) => connectionId)).toEqual([second, first]);
  });

  it('refuses a key for an app of another tenant', async () => {
    const [own, other] = [await tenantWithApp(), await tenantWithApp()];
    const key = (tenantId: string) =>
      registry.manager.insert(Key, {
        ...{ id: randomUUID(), tenantId, scope: 'app', appId: own.appId, connectionId: null },
        ...{ keyHash: randomBytes(32), prefix: 'vendo_sk_abcd' },
      });
    await expect(key(other.tenantId)).rejects.toThrow(/foreign key/);
    await key(own.tenantId);
  });

  it.each(['tenants', 'apps', 'connections', 'keys', 'bindings', 'rates', 'margins', 'audit'])(
    'deletes nothing from %s',
    async (table) => {
      await expect(registry.query(`delete from registry.${table}`)).rejects.toThrow(/not allowed/);
      await expect(registry.query(`truncate registry.${table} cascade`)).rejects.toThrow(/not allowed/);
    },
  );

  it.each(['rates', 'margins', 'audit'])('never rewrites %s', async (table) =>
    expect(registry.query(`update registry.${table} set id = id`)).rejects.toThrow(/not allowed/),
  );

  it('dates every change by the database, also when the writer says otherwise', async () => {
    const { tenantId } = await tenantWithApp();
    const id = await connectionOf(tenantId);
    await registry.query("update registry.connections set changed_at = '1999-01-01' where id = $1", [id]);
    const [row] = await registry.query(
      "select clock_timestamp() - changed_at between interval '0' and interval '5 seconds' as recent from registry.connections where id = $1",
      [id],
    );
    expect(row).toEqual({ recent: true });
  });

  it('ends a writer that stays open for over 10 s', async () =>
    expect(await registry.query('show transaction_timeout')).toEqual([{ transaction_timeout: '10s' }]));

  it('has a default margin of 20 per cent in force from the beginning', async () =>
    expect(await registry.manager.find(Margin)).toMatchObject([
      {
        tenantId: null,
        integration: null,
        meter: null,
        marginPct: '20',
        version: 0,
        effectiveFrom: new Date(0),
      },
    ]));
});

describe('rate versions', () => {
  it('become visible in their order, however long the writers take', async () => {
    const seen: number[][] = [];
    const before = await versions();
    let writing = true;
    const watch = (async () => {
      while (writing) seen.push(await versions());
    })();
    await Promise.all(
      Array.from({ length: 20 }, (_, n) =>
        registry.transaction(async (tx) => {
          const version = await nextRateVersion(tx);
          await tx.query('select pg_sleep($1)', [(n % 3) * 0.005]);
          await tx.insert(Margin, {
            ...{ id: randomUUID(), tenantId: null, integration: `i${n}`, meter: null },
            ...{ marginPct: '1', effectiveFrom: new Date(), version },
          });
        }),
      ),
    );
    writing = false;
    await watch;
    const first = before.at(-1) ?? 0;
    for (const found of [...seen, await versions()])
      expect(found).toEqual(Array.from({ length: found.length }, (_, n) => n));
    expect(await versions()).toHaveLength(first + 21);
  });

  async function versions(): Promise<number[]> {
    const rows: { version: number }[] = await registry.query(
      'select version from registry.margins order by version',
    );
    return rows.map(({ version }) => version);
  }
});

describe('the catalogue', () => {
  it('is seeded once, by whichever of several instances comes first', async () => {
    const catalogue = await readCatalogue();
    const added = await Promise.all([1, 2].map(() => seedCatalogue(registry, catalogue)));
    expect(added.sort((a, b) => a - b)).toEqual([0, catalogue.length]);
    const rates = await registry.manager.findBy(Rate, {
      model: 'gpt-5.6-sol',
      meter: 'input_tokens',
      tier: 'standard',
    });
    const prices = rates.map(({ unitCostUsd, contextFrom, effectiveFrom }) =>
      [effectiveFrom.toISOString().slice(0, 10), contextFrom, unitCostUsd].join(' '),
    );
    expect(prices.sort()).toEqual([
      '2026-08-01 0 5',
      '2026-08-01 272000 10',
      '2026-08-21 0 4',
      '2026-08-21 272000 8',
      '2026-11-10 0 4',
      '2026-11-10 272000 8',
    ]);
  });

  it('adds what a newer one brings as one version, in force from its own day', async () => {
    const [row] = await readCatalogue();
    if (!row) throw new Error('the catalogue is empty');
    const newer = { ...row, unit_cost_usd: '99', free: false, effective_from: '2026-11-11' };
    const announced = { ...newer, unit_cost_usd: '98', effective_from: '2099-01-01' };
    expect(await seedCatalogue(registry, [row, newer, announced])).toBe(2);
    expect(await seedCatalogue(registry, [row, newer, announced])).toBe(0);
    const [counter] = await registry.query('select version from registry.rate_version');
    const added = await registry.manager.findBy(Rate, { version: counter.version });
    expect(
      added.map(({ effectiveFrom, unitCostUsd }) => [effectiveFrom.toISOString(), unitCostUsd]).sort(),
    ).toEqual([
      ['2026-11-11T00:00:00.000Z', '99'],
      ['2099-01-01T00:00:00.000Z', '98'],
    ]);
  });

  it("does not take a price out of force that an operator has set after the list price's day", async () => {
    const [row] = await readCatalogue();
    if (!row) throw new Error('the catalogue is empty');
    const model = `m-${randomUUID()}`;
    const listed = { ...row, model, unit_cost_usd: '7', effective_from: '2026-08-01', free: false };
    const { provider, meter, tier } = listed;
    await registry.transaction(async (tx) =>
      tx.insert(Rate, {
        ...{ id: randomUUID(), provider, model, meter, tier, contextFrom: listed.context_from, per: '1' },
        ...{ unitCostUsd: '5', effectiveFrom: new Date(), version: await nextRateVersion(tx) },
      }),
    );
    await seedCatalogue(registry, [{ ...listed }, { ...listed, effective_from: '2026-11-11' }]);
    const rates = await registry.manager.find(Rate, { where: { model }, order: { effectiveFrom: 'DESC' } });
    expect(rates.map(({ unitCostUsd }) => unitCostUsd)).toEqual(['5', '7', '7']);
  });
});
