import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { createPool } from '@vendo/runtime';
import type pg from 'pg';
import { v7 as uuidv7 } from 'uuid';
import { audit } from '../../apps/ledger/src/audit.js';
import { type ProductUnderTest, productForTests } from '../harness/index.js';

/** A chat without a token limit is held at OpenAI's ceiling. */
const HOLD_MICROS = 1_000_000;
const CREDIT_MICROS = 20 * HOLD_MICROS;
const CAP_MICROS = 15 * HOLD_MICROS;
const CLIENTS = 64;
const CALLS = 2_000;
const SAMPLE_EVERY_MS = 50;
/** Ten chunks, 20 ms apart; priced so that a call costs a tenth of its hold and settling moves the limits. */
const MODEL = 'sandbox-chunks10-pace20';

interface RacingApp {
  id: string;
  key: string;
}

interface Sample {
  balance: string;
  held: string;
  /** Settled and held per app, in the day's window. */
  apps: Record<string, string>;
}

describe('64 clients on two apps that share credit for 20 holds, each app with a cap for 15', () => {
  let product: ProductUnderTest;
  let pool: pg.Pool;
  let tenantId: string;
  let apps: RacingApp[];
  let samples: Sample[];
  const answers = new Map<number, number>();

  beforeAll(async () => {
    product = await productForTests();
    pool = createPool(product.urls.database, { app: 'race', max: 2 });
    const bystander = await product.customer();
    await product.admin.importRates([
      { provider: 'openai', model: MODEL, meter: 'input_tokens', unit_cost_usd: '1000', per: '1000000' },
      { provider: 'openai', model: MODEL, meter: 'output_tokens', unit_cost_usd: '5000', per: '1000000' },
    ]);
    const cap = { spend_cap_daily: CAP_MICROS / 1e6 };
    const customer = await product.customer({ creditMicros: CREDIT_MICROS, ...cap });
    tenantId = customer.tenantId;
    const second = await product.admin.createApp(tenantId, 'The other app', cap);
    await product.admin.bind(second.id, 'openai');
    apps = [{ id: customer.appId, key: customer.key }, second];
    await product.ratesAreIn('openai', MODEL, bystander.key);
    samples = await sampledWhile(() => race());
    await product.settled(tenantId);
  });

  afterAll(async () => {
    await pool?.end();
    await product?.stop();
  });

  /**
   * Every client calls again as soon as it has its answer, until 2,000 calls are made. Those of the second app begin
   * when the first has met its cap: then five holds are left for them.
   */
  async function race(): Promise<void> {
    const capMet = Promise.withResolvers<void>();
    let made = 0;
    const client = async (app: RacingApp): Promise<void> => {
      while (made < CALLS) {
        made += 1;
        const status = await call(app, made % 2 === 0);
        answers.set(status, (answers.get(status) ?? 0) + 1);
        if (status === 429) capMet.resolve();
      }
      capMet.resolve();
    };
    const [first, second] = apps as [RacingApp, RacingApp];
    const clients = Array.from({ length: CLIENTS / 2 }, () => client(first));
    await capMet.promise;
    await Promise.all([...clients, ...Array.from({ length: CLIENTS / 2 }, () => client(second))]);
  }

  async function call({ key }: RacingApp, stream: boolean): Promise<number> {
    const answer = await fetch(`${product.proxyUrl('openai')}/v1/chat/completions`, {
      method: 'POST',
      headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
      body: JSON.stringify({ model: MODEL, stream, messages: [{ role: 'user', content: 'Who is first?' }] }),
    });
    await answer.arrayBuffer();
    return answer.status;
  }

  async function sampledWhile(work: () => Promise<void>): Promise<Sample[]> {
    const taken: Sample[] = [];
    let running = true;
    const sampler = (async () => {
      while (running) {
        const next = new Promise((resolve) => setTimeout(resolve, SAMPLE_EVERY_MS));
        taken.push(await sample());
        await next;
      }
    })();
    await work().finally(() => {
      running = false;
    });
    await sampler;
    return taken;
  }

  /** One statement, so one snapshot of the ledger's own tables. */
  async function sample(): Promise<Sample> {
    const { rows } = await pool.query<Sample>(
      `select balance, held, (
         select coalesce(json_object_agg(subject, (spent + held)::text), '{}') from ledger.cap_windows
         where tenant_id = $1 and period = 'daily') as apps
       from ledger.wallets where tenant_id = $1`,
      [tenantId],
    );
    return rows[0] as Sample;
  }

  it('are answered, or refused for the balance or for the cap, and nothing else', () => {
    expect([...answers.keys()].sort()).toEqual([200, 402, 429]);
    expect([...answers.values()].reduce((sum, count) => sum + count, 0)).toBeGreaterThanOrEqual(CALLS);
  });

  /** By the journal, which has every moment: looks now and then miss it on a busy machine. Refused calls end no hold. */
  async function mostHeld(): Promise<number> {
    const { rows } = await pool.query<{ holds: number }>(
      `select max(open)::int as holds from (
         select sum(case when kind = 'opened' then 1 else -1 end) over (order by seq) as open
         from ledger.journal where kind in ('opened', 'settled', 'released', 'expired')
           and hold_id in (select hold_id from ledger.journal where tenant_id = $1 and kind = 'opened')) moments`,
      [tenantId],
    );
    return (rows[0]?.holds ?? 0) * HOLD_MICROS;
  }

  it('never have more settled and held than the credit, at any moment that was looked at', async () => {
    expect(samples.length).toBeGreaterThan(10);
    // Both apps held at once: otherwise the credit was never what refused.
    const held = await mostHeld();
    expect(held).toBeGreaterThan(CAP_MICROS);
    expect(held).toBeLessThanOrEqual(CREDIT_MICROS);
    expect(samples.filter(({ balance, held }) => BigInt(held) > BigInt(balance))).toEqual([]);
  });

  it('never have more settled and held in an app than its cap', () => {
    const perApp = samples.flatMap((sample) => Object.values(sample.apps).map(Number));
    expect(Math.max(...perApp)).toBeGreaterThan(CAP_MICROS - 2 * HOLD_MICROS);
    expect(Math.max(...perApp)).toBeLessThanOrEqual(CAP_MICROS);
  });

  it('leave no hold open and a ledger without a fault, every commit of it looked at', async () => {
    expect(await product.admin.openHolds(tenantId)).toEqual([]);
    expect(await audit(pool)).toMatchObject({ ok: true, violations: [], openHolds: 0, heldMicros: '0' });
  });

  it('leave a journal, a balance and read models that say the same', async () => {
    const answered = answers.get(200) ?? 0;
    const told = await product.waitUntil(async () => {
      const { rows } = await pool.query<Record<string, string>>(
        `select
           (select sum(wallet_micros) from ledger.journal where tenant_id = $1) as journal,
           (select balance from ledger.wallets where tenant_id = $1) as wallet,
           (select balance_micros from read.wallet_balances where tenant_id = $1) as read,
           (select sum(amount_micros) from read.wallet_entries where tenant_id = $1) as entries,
           (select $2 - sum(cost_micros) from read.usage_events where tenant_id = $1) as "creditLessUsage",
           (select count(*) from ledger.journal where tenant_id = $1 and kind = 'settled') as settled,
           (select count(*) from read.usage_events where tenant_id = $1) as events`,
        [tenantId, CREDIT_MICROS],
      );
      return rows[0]?.events === String(answered) && rows[0]?.read === rows[0]?.wallet && rows[0];
    }, `${answered} usage events and the balance in the read models`);
    const { wallet } = told;
    expect(told).toEqual({
      journal: wallet,
      wallet,
      read: wallet,
      entries: wallet,
      creditLessUsage: wallet,
      settled: String(answered),
      events: String(answered),
    });
    expect((await apiBalance()).credits_remaining_micros).toBe(Number(wallet));
  });

  function apiBalance() {
    return product.billing((apps[0] as RacingApp).key).balance();
  }

  it('get one hold for 64 retries of one hold id, in one request and in many', async () => {
    const { tenantId: retrying, appId } = await product.customer({ creditMicros: 100 * HOLD_MICROS });
    const command = {
      hold_id: uuidv7(),
      tenant_id: retrying,
      subject: appId,
      amount_micros: HOLD_MICROS,
      rate_version: 1,
    };
    const spool = { id: uuidv7(), host: 'race' };
    const batches = [
      ...Array.from({ length: 32 }, () => [command]),
      Array.from({ length: 32 }, () => command),
    ];
    const told = await Promise.all(
      batches.map(async (commands) => {
        const answer = await fetch(`${product.urls.ledger}/internal/reserve`, {
          method: 'POST',
          headers: {
            authorization: `Bearer ${product.secrets.internalToken}`,
            'content-type': 'application/json',
          },
          body: JSON.stringify({ spool, commands }),
        });
        return ((await answer.json()) as { answers: object[] }).answers;
      }),
    );
    const [first, ...others] = told.flat();
    expect(others).toHaveLength(63);
    expect(first).toMatchObject({ status: 'open', hold_id: command.hold_id });
    for (const other of others) expect(other).toEqual(first);
    const { rows } = await pool.query(
      `select held, (select count(*) from ledger.journal where hold_id = $2) as entries
       from ledger.wallets where tenant_id = $1`,
      [retrying, command.hold_id],
    );
    expect(rows).toEqual([{ held: String(HOLD_MICROS), entries: '1' }]);
  });

  it('were served by processes that never died', () => expect(product.deaths()).toEqual([]));
});
