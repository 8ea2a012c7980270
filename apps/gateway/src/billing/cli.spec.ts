import { describe, expect, it } from '@jest/globals';
import { APP_KEY, billingStand, CONNECTION_KEY } from './billing-stand.contract.js';

const { get, wallet } = billingStand();
const PATH = '/api/cli/balance';

describe('GET /api/cli/balance', () => {
  it.each([APP_KEY, CONNECTION_KEY])(
    'shows the balance in USD to %s, and nothing for browsers',
    async (key) => {
      await wallet(12_500_000, 0);
      const answer = await get(PATH, { authorization: `Bearer ${key}`, origin: 'https://x.vendo.run' });
      expect(answer).toMatchObject({ status: 200, text: '{"balance_usd":12.5}' });
      expect(Object.keys(answer.headers).filter((name) => name.startsWith('access-control'))).toEqual([]);
    },
  );

  it.each([
    ['no key', {}, 401, 'Missing Bearer token'],
    ['an unknown key', { authorization: 'Bearer vendo_sk_nobody' }, 401, 'Invalid or revoked API key'],
    ['a revoked key', { authorization: 'Bearer vendo_sk_revoked' }, 401, 'Invalid or revoked API key'],
    ['an expired key', { authorization: 'Bearer vendo_sk_expired' }, 401, 'Invalid or revoked API key'],
    ['a token', { authorization: 'Bearer alice.good.token' }, 401, 'Invalid or revoked API key'],
  ])('answers %s in its own shape', async (_, headers, status, message) => {
    const answer = await get(PATH, headers as Record<string, string>);
    expect(answer).toMatchObject({ status, text: JSON.stringify({ message }) });
  });
});
