import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { createPool } from '@vendo/runtime';
import type pg from 'pg';
import { type Customer, type ProductUnderTest, productForTests } from '../harness/index.js';

const CALLS = 200;
const CLIENTS = 4;
const LAG_MS_MAX = 1_000;
const LOOK_EVERY_MS = 2;

describe('from the last byte of an answer to its charge in the read models', () => {
  let product: ProductUnderTest;
  let customer: Customer;
  let pool: pg.Pool;
  let lags: number[];

  beforeAll(async () => {
    product = await productForTests({ onDisk: true });
    pool = createPool(product.urls.database, { app: 'lag', max: 2 });
    customer = await product.customer();
    await product.ratesAreIn('openai', 'gpt-4o-mini', (await product.customer()).key);
    lags = await measured();
  });

  afterAll(async () => {
    await pool?.end();
    await product?.stop();
  });

  /** Calls by four clients, and one look after the other at what of them shows, until all do. */
  async function measured(): Promise<number[]> {
    const endedAt = new Map<string, number>();
    const found: number[] = [];
    let made = 0;
    const client = async (): Promise<void> => {
      while (made < CALLS) {
        made += 1;
        const requestId = await call(made);
        endedAt.set(requestId, performance.now());
      }
    };
    const clients = Promise.all(Array.from({ length: CLIENTS }, client));
    await product.waitUntil(
      async () => {
        const shown = await shownOf([...endedAt.keys()]);
        const nowMs = performance.now();
        for (const requestId of shown) {
          found.push(nowMs - (endedAt.get(requestId) ?? 0));
          endedAt.delete(requestId);
        }
        return found.length === CALLS;
      },
      `${CALLS} calls in balance and usage`,
      60_000,
      LOOK_EVERY_MS,
    );
    await clients;
    return found.sort((a, b) => a - b);
  }

  /** Half of the calls are streams. @returns the provider's request id, which the usage event keeps. */
  async function call(turn: number): Promise<string> {
    const answer = await fetch(`${product.proxyUrl('openai')}/v1/chat/completions`, {
      method: 'POST',
      headers: { authorization: `Bearer ${customer.key}`, 'content-type': 'application/json' },
      body: JSON.stringify({
        model: 'gpt-4o-mini',
        max_tokens: 50,
        stream: turn % 2 === 0,
        messages: [{ role: 'user', content: `Turn ${turn}` }],
      }),
    });
    await answer.arrayBuffer();
    expect(answer.status).toBe(200);
    return answer.headers.get('x-request-id') ?? '';
  }

  /** Those whose usage event and whose wallet entry can be read. */
  async function shownOf(requestIds: string[]): Promise<string[]> {
    const { rows } = await pool.query<{ id: string }>(
      `select u.upstream_request_id as id from read.usage_events u
       join read.wallet_entries e on e.tenant_id = u.tenant_id and e.hold_id = u.hold_id
       where u.tenant_id = $1 and u.upstream_request_id = any($2)`,
      [customer.tenantId, requestIds],
    );
    return rows.map(({ id }) => id);
  }

  it('takes under a second for 99 of 100 calls', () => {
    const at = (share: number): number => lags[Math.ceil(share * CALLS) - 1] ?? Number.NaN;
    process.stderr.write(
      `lag over ${CALLS} calls: p50 ${at(0.5).toFixed(0)} ms, p99 ${at(0.99).toFixed(0)} ms, max ${at(1).toFixed(0)} ms\n`,
    );
    expect(lags).toHaveLength(CALLS);
    expect(at(0.99)).toBeLessThan(LAG_MS_MAX);
  });

  it('ends with balance and usage of the billing API that agree to the micro', async () => {
    const usage = await customer.billing.usage();
    expect(usage.calls).toBe(CALLS);
    expect(usage.total_micros).toBeGreaterThan(0);
    expect((await customer.billing.balance()).credits_remaining_micros).toBe(10_000_000 - usage.total_micros);
  });

  it('was served by processes that never died', () => expect(product.deaths()).toEqual([]));
});
