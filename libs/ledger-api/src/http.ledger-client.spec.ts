import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { SystemClock } from '@vendo/runtime';
import { HttpLedgerClient } from './http.ledger-client.js';
import { LedgerStandIn, openAll, type Reply } from './ledger-stand-in.js';
import type { ReserveCommand } from './schemas.js';

const SPOOL = { id: '00000000-0000-4000-8000-0000000000ff', host: 'h' };
const TENANT = '00000000-0000-4000-8000-000000000001';
const TOKEN = 'internal-token-of-the-spec';

let ledger: LedgerStandIn;
let client: HttpLedgerClient;

beforeEach(async () => {
  ledger = await LedgerStandIn.start();
  client = new HttpLedgerClient([ledger.origin], TOKEN, new SystemClock());
});

afterEach(async () => {
  await client.close();
  await ledger.stop();
});

const command = (n: number): ReserveCommand => ({
  hold_id: `00000000-0000-4000-8000-${String(n).padStart(12, '0')}`,
  tenant_id: TENANT,
  subject: TENANT,
  amount_micros: n,
  rate_version: 1,
});

describe('the client of one ledger', () => {
  it('sends the commands of one tick in one request, with the token, and answers each', async () => {
    const answers = await Promise.all([1, 2, 3].map((n) => client.reserve(SPOOL, command(n))));
    expect(answers.map(({ hold_id }) => hold_id)).toEqual([1, 2, 3].map((n) => command(n).hold_id));
    expect(ledger.asked).toHaveLength(1);
    expect(ledger.asked[0]).toMatchObject({ path: '/internal/reserve', authorization: `Bearer ${TOKEN}` });
  });

  it('has at most two requests in flight, and what waits travels together', async () => {
    const asked = Promise.withResolvers<void>();
    ledger.answer = async (seen) => {
      await asked.promise;
      return openAll(seen);
    };
    const answers: Promise<unknown>[] = [];
    for (let n = 1; n <= 20; n++) {
      answers.push(client.reserve(SPOOL, command(n)));
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
    asked.resolve();
    await Promise.all(answers);
    expect(ledger.mostInFlight).toBe(2);
    expect(ledger.asked.length).toBeLessThanOrEqual(3);
  });

  it.each<[string, Reply]>([
    ['a cut connection', 'cut'],
    ['503', { status: 503, body: { error: { code: 'billing_unavailable', message: '' } } }],
    ['an answer that is not readable', { status: 200, body: 'what' }],
    ['421 without an owner', { status: 421, body: { error: { code: 'wrong_owner' } } }],
  ])('sends the same bytes again after %s', async (_, first) => {
    ledger.answer = (seen) => (ledger.asked.length === 1 ? first : openAll(seen));
    expect(await client.reserve(SPOOL, command(1))).toMatchObject({ status: 'open' });
    const [body] = ledger.asked.map((asked) => asked.body);
    // A decision may come of the first repeat or of the next; all are the same bytes.
    expect(ledger.asked.length).toBeGreaterThan(1);
    expect(new Set(ledger.asked.map((asked) => asked.body))).toEqual(new Set([body]));
  });

  it('never asks again for what is decided', async () => {
    const refused = { status: 'refused', hold_id: command(1).hold_id, code: 'balance_exhausted' };
    ledger.answer = () => ({ status: 200, body: { answers: [refused] } });
    expect(await client.reserve(SPOOL, command(1))).toMatchObject({ code: 'balance_exhausted' });
    ledger.answer = () => ({ status: 400, body: { error: { code: 'invalid_request', message: 'no' } } });
    await expect(client.reserve(SPOOL, command(2))).rejects.toMatchObject({ code: 'invalid_request' });
    expect(ledger.asked).toHaveLength(2);
  });

  it('gives up six seconds after the first send, and not before', async () => {
    ledger.answer = () => ({ status: 503, body: {} });
    const startedMs = performance.now();
    await expect(client.reserve(SPOOL, command(1))).rejects.toMatchObject({ code: 'billing_unavailable' });
    expect(performance.now() - startedMs).toBeGreaterThan(5_900);
    expect(performance.now() - startedMs).toBeLessThan(7_000);
    expect(ledger.asked.length).toBeGreaterThan(5);
    expect(ledger.asked.length).toBeLessThan(60);
  }, 10_000);

  it('says which refusal an operator’s command met', async () => {
    const other = { error: { code: 'idempotency_conflict', message: 'other' } };
    ledger.answer = () => ({ status: 409, body: other });
    const credit = { tenant_id: TENANT, amount_micros: 1, source: 's', note: null, idempotency_key: 'k' };
    await expect(client.grantCredit(credit)).rejects.toMatchObject({ code: 'idempotency_conflict' });
    ledger.answer = () => ({
      status: 401,
      body: { error: { code: 'unauthorized', message: 'wrong token' } },
    });
    await expect(client.grantCredit(credit)).rejects.toMatchObject({ code: 'billing_unavailable' });
    ledger.answer = () => 'cut';
    await expect(client.spools()).rejects.toMatchObject({ code: 'billing_unavailable' });
  });
});
