import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Auditor } from '../harness/books.js';
import { type Customer, type ProductUnderTest, productForTests } from '../harness/index.js';
import { STREAM_MODELS, STREAM_RATES } from '../harness/stream-models.js';
import { openStreams, type SeenAnswer, Traffic } from '../harness/streams.js';

const STREAMS = 60;
const CLIENTS = 8;
/** The holds of a gateway that is gone end after 60 s of silence, which begins anew when the ledger itself comes back. */
const EXPIRED_WITHIN_MS = 75_000;

describe('a product whose processes are killed under load', () => {
  let product: ProductUnderTest;
  let auditor: Auditor;
  let customer: Customer;
  let capped: Customer;
  const seen: SeenAnswer[] = [];
  let cutStreams = 0;

  beforeAll(async () => {
    product = await productForTests();
    auditor = new Auditor(product.urls.database);
    await product.admin.importRates(STREAM_RATES);
    customer = await product.customer({ creditMicros: 50_000_000 });
    capped = await product.customer({ creditMicros: 50_000_000, spend_cap_daily: 20, spend_cap_monthly: 40 });
    for (const provider of ['openai', 'anthropic'])
      await product.ratesAreIn(provider, STREAM_MODELS.halfASecond, customer.key);
  });
  afterAll(async () => {
    await auditor?.close();
    await product?.stop();
  });

  function streamsOf({ key }: Customer, model: string) {
    return { gatewayUrl: product.urls.gateway, key, model };
  }

  it('loses no answer that was received in full when its gateway is killed with 60 streams open', async () => {
    const traffic = new Traffic(CLIENTS, streamsOf(capped, STREAM_MODELS.halfASecond));
    // These are about to end when the others are in their middle: some are killed at their terminal event.
    const ending = await openStreams(STREAMS / 2, streamsOf(capped, STREAM_MODELS.fiveSeconds));
    await later(3_500);
    const open = await openStreams(STREAMS, streamsOf(customer, STREAM_MODELS.fiveSeconds));
    await Promise.any(ending.map(({ over }) => over));
    expect(open.filter((stream) => stream.open)).toHaveLength(STREAMS);

    await product.kill('gateway', 'SIGKILL');
    await product.start('gateway');
    const complete = traffic.complete;
    await product.waitUntil(() => traffic.complete > complete + CLIENTS, 'calls go on after the restart');
    const answers = await Promise.all([...ending, ...open].map(({ over }) => over));
    cutStreams = answers.filter((answer) => !answer.complete).length;
    expect(cutStreams).toBeGreaterThanOrEqual(STREAMS);
    seen.push(...answers, ...(await traffic.stop()));
  });

  it.each(['ledger', 'projector', 'postgres'] as const)(
    'goes on after kill -9 of %s under load',
    async (part) => {
      const traffic = new Traffic(CLIENTS, streamsOf(capped, STREAM_MODELS.halfASecond));
      const open = await openStreams(10, streamsOf(customer, STREAM_MODELS.fiveSeconds));
      await product.waitUntil(() => traffic.complete >= CLIENTS, 'calls are answered');
      await product.kill(part, 'SIGKILL');
      await product.start(part);
      const complete = traffic.complete;
      await product.waitUntil(() => traffic.complete > complete + CLIENTS, 'calls go on', 30_000);
      const answers = await Promise.all(open.map(({ over }) => over));
      expect(answers.filter((answer) => !answer.complete)).toEqual([]);
      seen.push(...answers, ...(await traffic.stop()));
    },
  );

  it('has one usage event and one settlement for each answer that was received in full', async () => {
    await product
      .waitUntil(async () => (await auditor.unbilled(seen)).length === 0, 'all are billed')
      .catch(() => undefined);
    expect(await auditor.unbilled(seen)).toEqual([]);
    expect(seen.filter(({ complete }) => complete).length).toBeGreaterThan(10 * CLIENTS);
  });

  it(
    'ends the holds of the killed streams after their 60 s, and lists them',
    async () => {
      await product.waitUntil(
        async () => (await auditor.openHolds()).length === 0,
        'no hold is open',
        EXPIRED_WITHIN_MS,
        500,
      );
      await product.waitUntil(async () => (await auditor.onItsWay()).length === 0, 'nothing is on its way');
      const { spools } = await product.admin.call<{ spools: { expired_holds: number }[] }>('GET', '/spools');
      const listed = spools.reduce((sum, { expired_holds }) => sum + expired_holds, 0);
      const { expired } = await auditor.books();
      expect(listed).toBe(expired);
      // A stream whose end was spooled before its terminal event left is settled though its client never saw it.
      expect(expired).toBeGreaterThan(0);
      expect(expired).toBeLessThanOrEqual(cutStreams + CLIENTS);
    },
    EXPIRED_WITHIN_MS + 20_000,
  );

  it('has books without a fault: invariants 1 to 5', async () => {
    const books = await auditor.books();
    expect(books.violations).toEqual([]);
    expect(books.openHolds).toBe(0);
    expect(books.usageEvents).toBe(books.settlements);
  });

  it('builds the same read models again from offset 0', async () => {
    const before = await auditor.readModels();
    await product.kill('projector', 'SIGKILL');
    await auditor.forgetReadModels();
    await product.start('projector');
    await product.waitUntil(async () => {
      const [row] = await auditor.rows<{ n: number }>('select count(*)::int as n from read.checkpoints');
      return row?.n === 32 && (await auditor.onItsWay()).length === 0;
    }, 'the read models are built');
    expect(await auditor.readModels()).toEqual(before);
  });

  it('had no death but those that were asked for', () => expect(product.deaths()).toEqual([]));
});

function later(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
