import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type Customer, type ProductUnderTest, productForTests } from '../harness/index.js';
import type { RawAnswer } from '../harness/raw-http.js';

/** The sandbox's transcript of 90 s, complete at the second question after it, and at the first. */
const MODEL = 'sandbox-polls2-seconds90';
const QUICK = 'sandbox-polls1-seconds90';
const FAILING = 'sandbox-polls1-failed';
/** 90 s at $0.36 an hour, with 20 %. */
const COST_MICROS = 10_800;
const UNKNOWN = '00000000-0000-4000-8000-000000000000';

describe('transcripts', () => {
  let product: ProductUnderTest;
  let ours: Customer;
  let theirs: Customer;
  /** Submits one job and never asks for it. */
  let first: Customer;

  beforeAll(async () => {
    product = await productForTests({ env: { VENDO_JOBS_POLL_MS: '500' } });
    const price = { provider: 'assemblyai', meter: 'audio_seconds', unit_cost_usd: '0.36', per: '3600' };
    await product.admin.importRates([MODEL, QUICK, FAILING].map((model) => ({ ...price, model })));
    [first, ours, theirs] = [await product.customer(), await product.customer(), await product.customer()];
    for (const { appId } of [first, ours, theirs]) await product.admin.bind(appId, 'assemblyai');
    await product.waitUntil(async () => (await submit(first)).status !== 402, 'a price of transcripts');
  }, 90_000);

  afterAll(() => product?.stop(), 30_000);

  const ask = ({ key }: Customer, path: string): Promise<RawAnswer> =>
    product.raw({
      method: 'GET',
      path: `/proxy/assemblyai/v2/transcript/${path}`,
      headers: { authorization: key },
    });
  const submit = ({ key }: Customer, speech_model = MODEL): Promise<RawAnswer> =>
    product.raw({
      method: 'POST',
      path: '/proxy/assemblyai/v2/transcript',
      headers: { authorization: key, 'content-type': 'application/json' },
      body: JSON.stringify({ audio_url: 'https://sounds.example/a.mp3', speech_model }),
    });
  const bodyOf = (answer: RawAnswer) => JSON.parse(answer.body.toString());
  const submitted = async (who: Customer, model?: string): Promise<string> =>
    bodyOf(await submit(who, model)).id;
  const balance = async (who: Customer) => (await who.billing.balance()).credits_remaining_micros;
  const events = async (who: Customer) =>
    (await product.admin.usageEvents(who.tenantId)).map(({ outcome, cost_micros }) => [
      outcome,
      Number(cost_micros),
    ]);

  it('are charged once, when their client sees that they are complete', async () => {
    const before = await balance(ours);
    const id = await submitted(ours);
    expect(bodyOf(await ask(ours, id))).toMatchObject({ status: 'processing' });
    expect(await product.admin.openHolds(ours.tenantId)).toMatchObject([{ amount_micros: 200_000 }]);
    for (let poll = 0; poll < 3; poll += 1)
      expect(bodyOf(await ask(ours, id))).toMatchObject({ status: 'completed', audio_duration: 90 });
    expect((await ask(ours, `${id}/sentences`)).status).toBe(200);
    await product.settled(ours.tenantId);
    await product.waitUntil(async () => (await balance(ours)) === before - COST_MICROS, 'the charge');
    expect(await events(ours)).toEqual([['completed', COST_MICROS]]);
  }, 60_000);

  it('are free where they failed', async () => {
    const before = await balance(ours);
    expect(bodyOf(await ask(ours, await submitted(ours, FAILING)))).toMatchObject({ status: 'error' });
    await product.settled(ours.tenantId);
    await product.waitUntil(async () => (await events(ours)).length === 2, 'the event');
    expect((await events(ours)).filter(([outcome]) => outcome === 'upstream_error')).toEqual([
      ['upstream_error', 0],
    ]);
    await product.waitUntil(async () => (await balance(ours)) === before, 'the balance');
  }, 60_000);

  it('of others look like those that do not exist, to the byte', async () => {
    const id = await submitted(ours);
    for (const part of ['', '/sentences', '/srt']) {
      const [foreign, unknown] = [await ask(theirs, id + part), await ask(theirs, UNKNOWN + part)];
      expect(foreign.status).toBe(404);
      expect(bodyOf(foreign)).toMatchObject({ error: { code: 'object_not_found' } });
      expect([foreign.status, foreign.body]).toEqual([unknown.status, unknown.body]);
    }
  });

  it('that nobody asks for are charged all the same, after everything was killed', async () => {
    const before = await balance(theirs);
    await submitted(theirs, QUICK);
    await product.waitUntil(
      async () => (await product.admin.openHolds(theirs.tenantId)).length === 1,
      'the hold',
    );
    for (const app of ['gateway', 'ledger', 'projector'] as const) await product.kill(app, 'SIGKILL');
    for (const app of ['ledger', 'gateway', 'projector'] as const) await product.start(app);
    // Asked for 10 s after it was begun.
    await product.settled(theirs.tenantId, 60_000);
    await product.waitUntil(
      async () => (await balance(theirs)) === before - COST_MICROS,
      'the charge',
      30_000,
    );
    expect(await events(theirs)).toEqual([['completed', COST_MICROS]]);
  }, 180_000);

  it('that still run when they are asked for come again by their lease', async () => {
    await product.settled(first.tenantId, 90_000);
    await product.waitUntil(async () => (await events(first)).length === 1, 'the event', 30_000);
    expect(await events(first)).toEqual([['completed', COST_MICROS]]);
  }, 150_000);
});
