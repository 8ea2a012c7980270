import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Auditor } from './books.js';
import {
  type Customer,
  type ProductOptions,
  type ProductUnderTest,
  productForTests,
  type Target,
} from './product-under-test.js';
import { STREAM_MODELS, STREAM_RATES } from './stream-models.js';
import { ClientStream, openStreams, type SeenAnswer, Traffic } from './streams.js';

export interface Outage extends Pick<ProductOptions, 'instances'> {
  /** Of several ledgers all. */
  part: 'ledger' | 'postgres';
  /** `stopped`: the process hangs and goes on later with what it was sent, after those who asked have given up. */
  how: 'killed' | 'stopped';
  downMs: number;
  /** A model whose streams wait until they are released, after the outage. */
  model: string;
}

const STREAMS = 50;
const CLIENTS = 4;
/** A reserve is tried for 6 s, then the call gets its 503. */
const GIVES_UP_AFTER_MS = { min: 5_500, max: 7_500 };
/** Long enough after its return for what waited to be settled; a hold of a dead gateway would last 60 s. */
const SETTLED_WITHIN_MS = 20_000;

/** The one story of an outage, told short in the journeys and long in test/chaos. */
export function tellOutage({ part, how, downMs, model, ...options }: Outage): void {
  describe(`${part} is ${how} for ${downMs / 1_000} s with ${STREAMS} streams open`, () => {
    let product: ProductUnderTest;
    let auditor: Auditor;
    let customer: Customer;
    let open: ClientStream[];
    let traffic: Traffic | undefined;
    const seen: SeenAnswer[] = [];

    beforeAll(async () => {
      product = await productForTests(options);
      auditor = new Auditor(product.urls.database, product.kafkaBrokers);
      await product.admin.importRates(STREAM_RATES);
      customer = await product.customer({ creditMicros: 50_000_000, spend_cap_daily: 40 });
      for (const provider of ['openai', 'anthropic'])
        await product.ratesAreIn(provider, STREAM_MODELS.halfASecond, customer.key);
    });
    afterAll(async () => {
      const ended = traffic?.stop();
      await auditor?.close();
      await product?.stop();
      await ended;
    });

    function streamsOf(wanted: string) {
      return { gatewayUrl: product.urls.gateway, key: customer.key, model: wanted };
    }

    async function freeRoute(): Promise<number> {
      const answer = await product.raw({
        method: 'GET',
        path: '/proxy/openai/v1/models',
        headers: { authorization: `Bearer ${customer.key}` },
      });
      return answer.status;
    }

    it('refuses metered calls with 503 and serves free ones, until it is back', async () => {
      const calls = new Traffic(CLIENTS, streamsOf(STREAM_MODELS.halfASecond));
      traffic = calls;
      open = await openStreams(STREAMS, streamsOf(model));
      await product.waitUntil(() => calls.complete >= CLIENTS, 'calls are answered');
      expect(await freeRoute()).toBe(200);

      const downUntil = Date.now() + downMs;
      const names: Target[] = part === 'ledger' ? product.instancesOf(part) : [part];
      await Promise.all(names.map((name) => product.kill(name, how === 'killed' ? 'SIGKILL' : 'SIGSTOP')));
      // Ends before the part returns: what it was answered, it was answered in the outage.
      const refused = await new ClientStream({ ...streamsOf(STREAM_MODELS.halfASecond), provider: 'openai' })
        .over;
      expect(refused).toMatchObject({ status: 503, errorCode: 'billing_unavailable', complete: false });
      expect(refused.tookMs).toBeLessThan(GIVES_UP_AFTER_MS.max);
      do expect(await freeRoute()).toBe(200);
      while (Date.now() < downUntil - 1_000 && (await pause(1_000)));
      expect(open.filter((stream) => stream.open)).toHaveLength(STREAMS);

      await pause(downUntil - Date.now());
      if (how === 'stopped') await Promise.all(names.map((name) => product.kill(name, 'SIGCONT')));
      await Promise.all(names.map((name) => product.start(name)));
      const complete = calls.complete;
      await product.waitUntil(() => calls.complete > complete + CLIENTS, 'calls are answered again', 20_000);
      seen.push(...(await calls.stop()));
      expect([...new Set(seen.filter(({ complete: whole }) => !whole).map(({ status }) => status))]).toEqual([
        503,
      ]);
    });

    it('lets every stream go on to its end', async () => {
      await product.releaseStreams();
      const answers = await Promise.all(open.map(({ over }) => over));
      expect(answers.filter(({ complete }) => !complete)).toEqual([]);
      seen.push(...answers);
    });

    it('leaves no hold open, and none has expired', async () => {
      await product.waitUntil(
        async () => (await auditor.openHolds()).length === 0,
        'no hold is open',
        SETTLED_WITHIN_MS,
        200,
      );
      await product.waitUntil(async () => (await auditor.onItsWay()).length === 0, 'nothing is on its way');
      expect(
        await auditor.rows(`select hold_id from ledger.journal where kind in ('expired', 'late')`),
      ).toEqual([]);
    });

    it('has lost and doubled nothing: invariants 1 to 5', async () => {
      expect(await auditor.unbilled(seen)).toEqual([]);
      const books = await auditor.books();
      expect(books).toMatchObject({ violations: [], openHolds: 0, expired: 0 });
      expect(books.usageEvents).toBe(books.settlements);
      expect(product.deaths()).toEqual([]);
    });
  });
}

async function pause(ms: number): Promise<true> {
  await new Promise((resolve) => setTimeout(resolve, Math.max(ms, 0)));
  return true;
}
