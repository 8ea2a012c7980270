import { randomUUID } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import {
  type EventRecord,
  encodeEvent,
  LEDGER_TOPIC,
  POSITION_HEADER,
  SEQ_HEADER,
  shardOf,
  type VendoEvent,
} from '@vendo/events';
import { generationsOf, ReadModels, startRebuild } from '@vendo/read-models';
import {
  brokenRecord,
  eventually,
  expectParked,
  PARTITIONS,
  ProjectionStand,
} from '../../projection.contract.js';
import { wallet } from './wallet.projection.js';

const AT = '2026-11-21T10:00:00.000Z';
const WINDOWS = { daily: '2026-11-21', monthly: '2026-11' };
type LedgerEvent = VendoEvent<
  'CreditGranted.v1' | 'HoldOpened.v1' | 'HoldEnded.v1' | 'Adjusted.v1' | 'CapSet.v1'
>;

/** A ledger in miniature: keeps one tenant's totals and gives positions per shard. */
class Journal {
  private readonly positions = new Map<number, number>();

  place(tenantId: string, seq: number): Record<string, string> {
    const shard = shardOf(tenantId, PARTITIONS);
    const position = (this.positions.get(shard) ?? 0) + 1;
    this.positions.set(shard, position);
    return { [POSITION_HEADER]: String(position), [SEQ_HEADER]: String(seq) };
  }
}

class Tenant {
  readonly id = randomUUID();
  readonly app = randomUUID();
  balance = 0;
  held = 0;
  spent = 0;
  seq = 0;
  cap: number | null = null;

  constructor(private readonly journal: Journal) {}

  credit(amount: number): EventRecord {
    this.balance += amount;
    return this.record('CreditGranted.v1', {
      entry_id: randomUUID(),
      amount_micros: amount,
      source: amount < 0 ? 'correction' : 'grant',
      note: null,
      idempotency_key: randomUUID(),
      after: this.totals(),
    });
  }

  open(hold_id: string, amount: number): EventRecord {
    this.held += amount;
    return this.record('HoldOpened.v1', {
      hold_id,
      subject: this.app,
      amount_micros: amount,
      windows: WINDOWS,
      spool_id: randomUUID(),
      rate_version: 1,
      reserved_at: AT,
      after: this.totals(),
    });
  }

  end(
    hold_id: string,
    how: 'settled' | 'released' | 'expired' | 'late',
    held: number,
    cost: number,
  ): EventRecord {
    this.held -= held;
    this.balance -= cost;
    this.spent += cost;
    return this.record('HoldEnded.v1', {
      hold_id,
      how,
      subject: this.app,
      amount_micros: held,
      cost_micros: cost,
      windows: WINDOWS,
      reason: null,
      after: this.totals(),
    });
  }

  adjust(hold_id: string, n: number, cost: number): EventRecord {
    this.balance -= cost;
    this.spent += cost;
    return this.record('Adjusted.v1', {
      hold_id,
      n,
      subject: this.app,
      cost_micros: cost,
      windows: WINDOWS,
      reason: 'refunded',
      after: this.totals(),
    });
  }

  setCap(daily: number | null): EventRecord {
    this.cap = daily;
    return this.record('CapSet.v1', {
      subject: this.app,
      daily_micros: daily,
      monthly_micros: null,
      after: this.totals(),
    });
  }

  broken(): EventRecord {
    this.seq += 1;
    return brokenRecord(this.id, 'HoldOpened.v1', this.journal.place(this.id, this.seq));
  }

  private totals() {
    const window = {
      subject: this.app,
      period: 'daily' as const,
      window: WINDOWS.daily,
      spent_micros: this.spent,
      held_micros: this.held,
      cap_micros: this.cap,
    };
    return { balance_micros: this.balance, held_micros: this.held, windows: [window] };
  }

  private record<T extends LedgerEvent['type']>(
    type: T,
    data: Extract<LedgerEvent, { type: T }>['data'],
  ): EventRecord {
    this.seq += 1;
    const event = { id: randomUUID(), type, tenantId: this.id, at: AT, data } as LedgerEvent;
    return encodeEvent(event, '/ledger', this.journal.place(this.id, this.seq));
  }
}

/** A life of many holds, deterministic. */
function life(tenant: Tenant, holds: number): EventRecord[] {
  const records = [tenant.credit(1_000_000), tenant.setCap(900_000)];
  for (let n = 0; n < holds; n += 1) {
    const hold = randomUUID();
    records.push(tenant.open(hold, 1_000 + n));
    if (n % 3 === 0) records.push(tenant.end(hold, 'settled', 1_000 + n, 700 + n));
    else if (n % 3 === 1) records.push(tenant.end(hold, 'released', 1_000 + n, 0));
    else records.push(tenant.end(hold, 'expired', 1_000 + n, 0), tenant.end(hold, 'late', 0, n));
    if (n % 10 === 0) records.push(tenant.credit(-5));
  }
  return [...records, tenant.open(randomUUID(), 77)];
}

describe('the wallet projection', () => {
  let stand: ProjectionStand;
  let journal: Journal;
  let readModels: ReadModels;
  beforeEach(async () => {
    stand = await ProjectionStand.open([wallet]);
    journal = new Journal();
    readModels = new ReadModels(stand.pool);
  });
  afterEach(() => stand.close());

  async function expectModelsOf(tenant: Tenant): Promise<void> {
    expect(await readModels.balanceOf(tenant.id)).toEqual({
      balance: BigInt(tenant.balance),
      held: BigInt(tenant.held),
      seq: tenant.seq,
      asOf: expect.any(Date),
    });
    expect(
      await stand.rows(
        `select sum(amount_micros) as sum from read.wallet_entries where tenant_id = '${tenant.id}'`,
      ),
    ).toEqual([{ sum: String(tenant.balance) }]);
    expect(
      await stand.rows(
        `select spent_micros, held_micros, cap_micros from read.spend_windows where subject = '${tenant.app}'`,
      ),
    ).toEqual([
      {
        spent_micros: String(tenant.spent),
        held_micros: String(tenant.held),
        cap_micros: tenant.cap === null ? null : String(tenant.cap),
      },
    ]);
  }

  it('equals a fold of the journal: balances, windows, and entries that sum to the balance', async () => {
    const tenants = [new Tenant(journal), new Tenant(journal), new Tenant(journal)];
    for (const tenant of tenants) await stand.append(LEDGER_TOPIC, life(tenant, 200));
    await stand.project();
    for (const tenant of tenants) await expectModelsOf(tenant);
    await expectParked(stand, []);
  });

  it('is rebuilt to the same rows, and stays as it is when a row is found that the journal does not tell', async () => {
    const tenants = [new Tenant(journal), new Tenant(journal), new Tenant(journal)];
    for (const tenant of tenants) await stand.append(LEDGER_TOPIC, life(tenant, 50));
    await stand.project();
    const all = () =>
      Promise.all(wallet.tables.map(({ name }) => stand.rows(`select * from read.${name} order by 1, 2, 3`)));
    const rebuilt = async (): Promise<void> => {
      const generation = await startRebuild(stand.pool, wallet.name, wallet.tables);
      await stand.project(async () =>
        (await generationsOf(stand.pool, wallet.name)).some(
          (one) => one.generation === generation && one.state !== 'building',
        ),
      );
    };
    const before = await all();
    await rebuilt();
    expect(await all()).toEqual(before);
    for (const tenant of tenants) await expectModelsOf(tenant);

    await stand.pool.query(
      'update read.wallet_balances set held_micros = held_micros + 1 where tenant_id = $1',
      [tenants[1]?.id],
    );
    await rebuilt();
    const difference = {
      table: 'wallet_balances',
      tenant_id: tenants[1]?.id,
      day: null,
      column: 'held_micros',
    };
    expect(await generationsOf(stand.pool, wallet.name)).toMatchObject([
      { state: 'live' },
      { state: 'blocked', report: { count: 1, first: [difference] } },
    ]);
  });

  it('makes an entry of every posting and of nothing else', async () => {
    const tenant = new Tenant(journal);
    const hold = randomUUID();
    await stand.append(LEDGER_TOPIC, [
      tenant.credit(500),
      tenant.open(hold, 100),
      tenant.end(hold, 'expired', 100, 0),
      tenant.end(hold, 'late', 0, 30),
      tenant.credit(-20),
      tenant.adjust(hold, 1, -25),
    ]);
    await stand.project();
    const rows = await stand.rows(
      'select seq, kind, amount_micros, balance_after_micros, hold_id, source, late from read.wallet_entries order by seq',
    );
    expect(rows.map((row) => Object.values(row))).toEqual([
      ['1', 'credit', '500', '500', null, 'grant', false],
      ['4', 'settlement', '-30', '470', hold, null, true],
      ['5', 'credit', '-20', '450', null, 'correction', false],
      ['6', 'correction', '25', '475', hold, 'refunded', false],
    ]);
    expect(await stand.rows(`select spent_micros from read.spend_windows where period = 'daily'`)).toEqual([
      { spent_micros: '5' },
    ]);
    // A correction is no second charge that a usage event would have to come for.
    expect(await stand.rows('select count(*) from read.charges_without_usage')).toEqual([{ count: '1' }]);
  });

  it('drops positions it has folded already, in the same batch and in later ones', async () => {
    const tenant = new Tenant(journal);
    const records = life(tenant, 40);
    await stand.append(LEDGER_TOPIC, [...records.slice(0, 60), ...records.slice(20)]);
    await stand.project();
    await stand.append(LEDGER_TOPIC, records.slice(-30));
    await stand.project();
    await expectModelsOf(tenant);
  });

  it('stops at a gap, keeps what came before it, and never resets', async () => {
    const tenant = new Tenant(journal);
    const records = life(tenant, 10);
    await stand.append(LEDGER_TOPIC, records.slice(0, 5));
    await stand.project();
    await stand.append(LEDGER_TOPIC, records.slice(6));
    let told: unknown = null;
    await stand.project(async () => {
      told = stand.health.report();
      return told !== null;
    });
    expect(told).toEqual({
      [`wallet/1/${shardOf(tenant.id, PARTITIONS)}`]: 'JournalGapError: position 7 follows 5',
    });
    expect((await readModels.balanceOf(tenant.id)).seq).toBe(5);
  });

  it('parks a bad record and all that its tenant says later, and nobody else', async () => {
    const hurt = new Tenant(journal);
    const neighbour = sameShardAs(hurt, journal);
    const before = [hurt.credit(100), neighbour.credit(300)];
    const broken = hurt.broken();
    const after = [hurt.credit(50), neighbour.credit(7)];
    await stand.append(LEDGER_TOPIC, [...before, broken, ...after]);
    await stand.project();
    const later = [hurt.credit(1), neighbour.credit(1)];
    await stand.append(LEDGER_TOPIC, later);
    await stand.project();
    await expectParked(stand, [
      { tenant_id: hurt.id, reason: expect.stringContaining('the value is not JSON') },
      { tenant_id: hurt.id, reason: 'follows a parked record of its tenant' },
      { tenant_id: hurt.id, reason: 'follows a parked record of its tenant' },
    ]);
    expect(await readModels.balanceOf(hurt.id)).toMatchObject({ balance: 100n, held: 0n, seq: 1 });
    expect(await readModels.balanceOf(neighbour.id)).toMatchObject({ balance: 308n, held: 0n, seq: 3 });
  });

  it('parks a record that claims to be of the journal and has no position', async () => {
    const tenant = new Tenant(journal);
    await stand.append(LEDGER_TOPIC, [tenant.credit(100), brokenRecord(tenant.id, 'HoldOpened.v1')]);
    await stand.project();
    await expectParked(stand, [
      { tenant_id: tenant.id, reason: 'a journal record without its position and seq' },
    ]);
  });

  it('answers zeros for a tenant that it has not heard of', async () => {
    expect(await readModels.balanceOf(randomUUID())).toMatchObject({ balance: 0n, held: 0n, seq: 0 });
  });

  it('shows a new record within a tick, while it runs', async () => {
    const tenant = new Tenant(journal);
    await stand.project(async () => {
      if (tenant.seq === 0) await stand.append(LEDGER_TOPIC, [tenant.credit(5)]);
      return (await readModels.balanceOf(tenant.id)).seq === 1;
    });
    await eventually(async () => (await readModels.balanceOf(tenant.id)).balance === 5n);
  });
});

function sameShardAs(other: Tenant, journal: Journal): Tenant {
  for (;;) {
    const tenant = new Tenant(journal);
    if (shardOf(tenant.id, PARTITIONS) === shardOf(other.id, PARTITIONS)) return tenant;
  }
}
