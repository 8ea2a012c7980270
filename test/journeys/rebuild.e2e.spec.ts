import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { GATEWAY_TOPIC } from '@vendo/events';
import { createPool } from '@vendo/runtime';
import type pg from 'pg';
import { type Customer, type ProductUnderTest, productForTests } from '../harness/index.js';
import { KafkaTopics, type TopicRecord } from '../harness/kafka-topics.js';

const CLIENTS = 4;
const TABLES = {
  usage: ['usage_events', 'usage_hourly', 'usage_calls_hourly'],
  wallet: ['wallet_balances', 'wallet_entries', 'spend_windows'],
};

describe('the rebuild command, while calls are in flight', () => {
  let product: ProductUnderTest;
  let customer: Customer;
  let pool: pg.Pool;

  beforeAll(async () => {
    product = await productForTests();
    pool = createPool(product.urls.database, { app: 'rebuild journey', max: 2 });
    customer = await product.customer();
    await product.ratesAreIn('openai', 'gpt-4o-mini', customer.key);
  });
  afterAll(async () => {
    await pool?.end();
    await product?.stop();
  });

  /** `npm run rebuild -- ...` of the build. */
  function rebuild(...words: string[]): Promise<{ code: number; told: string }> {
    return new Promise((resolve) => {
      const env = { PATH: process.env.PATH, DATABASE_URL: product.urls.database };
      const args = ['dist/apps/projector/src/rebuild.js', ...words];
      execFile(process.execPath, args, { env, timeout: 60_000 }, (failed, stdout, stderr) =>
        resolve({ code: failed ? Number(failed.code) : 0, told: `${stdout}${stderr}` }),
      );
    });
  }

  /** Calls by four clients until `work` is done; answers how many were answered. */
  async function underLoad(work: () => Promise<void>): Promise<number> {
    let [ended, answered] = [false, 0];
    const client = async (): Promise<void> => {
      while (!ended) {
        const { status } = await product.raw({
          method: 'POST',
          path: '/proxy/openai/v1/chat/completions',
          headers: { authorization: `Bearer ${customer.key}`, 'content-type': 'application/json' },
          body: JSON.stringify({
            model: 'gpt-4o-mini',
            max_tokens: 4,
            messages: [{ role: 'user', content: 'hi' }],
          }),
        });
        expect(status).toBe(200);
        answered += 1;
      }
    };
    const clients = Promise.all(Array.from({ length: CLIENTS }, client));
    try {
      await work();
    } finally {
      ended = true;
      await clients;
    }
    return answered;
  }

  /** Nothing is on its way any more: every call has its usage event and its entry. */
  async function quiet(): Promise<void> {
    await product.settled(customer.tenantId);
    await product.waitUntil(async () => {
      const { rows } = await pool.query<{ quiet: boolean }>(
        `select (select count(*) from ledger.journal where kind in ('settled', 'late'))
             = (select count(*) from read.usage_events where cost_micros > 0)
           and not exists (select from read.wallet_balances where held_micros > 0) as quiet`,
      );
      return rows[0]?.quiet ?? false;
    }, 'everything is told');
  }

  async function contents(names: readonly string[]): Promise<unknown[][]> {
    const all: unknown[][] = [];
    for (const name of names)
      all.push((await pool.query(`select * from read.${name} t order by t::text`)).rows as unknown[]);
    return all;
  }

  it.each(['usage', 'wallet'] as const)('makes another generation of %s live', async (projection) => {
    let result = { code: -1, told: '' };
    const answered = await underLoad(async () => {
      result = await rebuild(projection);
    });
    expect(result).toMatchObject({ code: 0, told: expect.stringContaining(`of ${projection} is live`) });
    expect(answered).toBeGreaterThan(CLIENTS);
  });

  it.each(['usage', 'wallet'] as const)('changes no row of %s', async (projection) => {
    await quiet();
    const before = await contents(TABLES[projection]);
    expect(before[0]).not.toEqual([]);
    expect(await rebuild(projection)).toMatchObject({ code: 0 });
    expect(await contents(TABLES[projection])).toEqual(before);
  });

  it.each([
    ['usage', 'usage_hourly', 'cost_micros'],
    ['wallet', 'wallet_balances', 'balance_micros'],
  ] as const)(
    'ends with 1 where the live rows of %s are not what the log tells, and leaves them alone',
    async (projection, table, column) => {
      await pool.query(
        `update read.${table} set ${column} = ${column} + 1 where ctid = (select min(ctid) from read.${table})`,
      );
      const before = await contents(TABLES[projection]);
      const { code, told } = await rebuild(projection);
      expect([code, told]).toEqual([1, expect.stringContaining(`"table": "${table}"`)]);
      expect(await contents(TABLES[projection])).toEqual(before);
      expect(await rebuild(projection)).toMatchObject({
        code: 1,
        told: expect.stringContaining('is blocked'),
      });
      expect(await rebuild(projection, 'accept')).toMatchObject({ code: 0 });
    },
  );

  /** As it lies in the log. */
  async function aMeasuredUsage(): Promise<TopicRecord> {
    const { rows } = product.kafkaBrokers
      ? { rows: await new KafkaTopics(product.kafkaBrokers).read(GATEWAY_TOPIC) }
      : await pool.query<TopicRecord>(
          `select partition, "offset", key, headers, value from log.records where topic = $1`,
          [GATEWAY_TOPIC],
        );
    const usage = rows.find(({ headers }) => headers.ce_type === 'UsageMeasured.v2');
    if (!usage) throw new Error('no usage was told');
    return usage;
  }

  it('a record that was parked is folded again when an operator asks', async () => {
    const { partition, offset, key, headers, value } = await aMeasuredUsage();
    const { rows } = await pool.query<{ hold_id: string }>(
      `insert into read.parked (projection, generation, topic, partition, record_offset, tenant_id, headers, value, reason)
       select 'usage', (select generation from read.generations where projection = 'usage' and state = 'live'),
         $1, $2, $3, $4, $5, $6, 'planted'
       returning convert_from(value, 'UTF8')::json ->> 'id' as hold_id`,
      [GATEWAY_TOPIC, partition, offset, key, headers, value],
    );
    const holdId = rows[0]?.hold_id ?? randomUUID();
    await pool.query('delete from read.usage_events where hold_id = $1', [holdId]);
    const [parked] = (await product.admin.parked()) as { id: string }[];
    expect(parked?.id).toMatch(/^projection-\d+$/);
    await product.admin.post(`/parked/${parked?.id}/replay`, {});
    await product.waitUntil(async () => (await product.admin.parked()).length === 0, 'nothing is parked');
    const found = await pool.query('select from read.usage_events where hold_id = $1', [holdId]);
    expect(found.rowCount).toBe(1);
  });

  it('ended no process', () => expect(product.deaths()).toEqual([]));
});
