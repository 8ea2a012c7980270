import { describe, expect, it } from '@jest/globals';
import { APP_KEY, billingStand } from './billing-stand.contract.js';

const { get, moveOn } = billingStand();

/** The statuses of so many requests, the headers of each as given. */
async function statuses(path: string, times: number, headers?: Record<string, string>): Promise<number[]> {
  const all: number[] = [];
  for (let n = 0; n < times; n += 1) all.push((await get(path, headers)).status);
  return all;
}

const once = (status: number, times: number) => Array.from({ length: times }, () => status);

describe('the limits per client address', () => {
  it('count both balances together, 60 in a minute, and refuse the next one before its key is looked at', async () => {
    expect(await statuses('/api/billing/balance', 30)).toEqual(once(200, 30));
    expect(await statuses('/api/v1/balance', 30)).toEqual(once(200, 30));
    for (const [path, headers] of [
      ['/api/billing/balance', { authorization: `Bearer ${APP_KEY}` }],
      ['/api/v1/balance', {}],
    ] as const) {
      const answer = await get(path, headers);
      expect(answer).toMatchObject({ status: 429, text: '{"error":{"message":"Rate limit exceeded"}}' });
      expect(Number(answer.headers['retry-after'])).toBeGreaterThan(0);
      expect(Number(answer.headers['retry-after'])).toBeLessThanOrEqual(60);
      expect(answer.headers['access-control-allow-origin']).toBe('*');
    }
    expect(await statuses('/api/cli/balance', 1)).toEqual([200]);
    moveOn();
    expect(await statuses('/api/v1/balance', 1)).toEqual([200]);
  });

  it('count what carries no key too', async () => {
    expect(await statuses('/api/v1/balance', 60, {})).toEqual(once(401, 60));
    expect(await statuses('/api/v1/balance', 1)).toEqual([429]);
  });

  it('go by the socket, whatever the headers say of the address', async () => {
    for (let n = 0; n < 60; n += 1)
      await get('/api/v1/balance', { authorization: `Bearer ${APP_KEY}`, 'x-forwarded-for': `1.2.3.${n}` });
    expect(await statuses('/api/v1/balance', 1)).toEqual([429]);
  });

  it('give the command line 30 of its own', async () => {
    expect(await statuses('/api/cli/balance', 30)).toEqual(once(200, 30));
    const answer = await get('/api/cli/balance');
    expect(answer).toMatchObject({ status: 429, text: '{"message":"Rate limit exceeded"}' });
    expect(answer.headers['retry-after']).toMatch(/^\d+$/);
    expect(await statuses('/api/billing/balance', 1)).toEqual([200]);
  });

  it('leave usage and spend caps alone', async () => {
    expect(await statuses('/api/billing/usage', 70)).toEqual(once(200, 70));
  });
});
