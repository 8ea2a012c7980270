import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { Part } from '../../tools/standalone/product.js';
import { Auditor } from './books.js';
import { type Customer, type ProductUnderTest, productForTests } from './product-under-test.js';
import { STREAM_MODELS, STREAM_RATES } from './stream-models.js';
import { openStreams, type SeenAnswer, Traffic } from './streams.js';

export interface Kills {
  /** Streams in their middle when the gateway is killed; half as many more are about to end. */
  streams: number;
  /** Killed one after the other under load, the gateway always with its streams open. */
  parts: Part[];
}

const CLIENTS = 8;
/** The streams that are about to end are this old when the others begin; they last a little over 5 s. */
const HEAD_START_MS = 3_500;
/** The holds of a gateway that is gone end after 60 s of silence, which begins anew when the ledger itself comes back. */
const EXPIRED_WITHIN_MS = 75_000;

/** The one story of killed processes, told short in the journeys and long in test/chaos. */
export function tellKills({ streams, parts }: Kills): void {
  describe(`a product whose processes are killed under load (${parts.join(', ')})`, () => {
    let product: ProductUnderTest;
    let auditor: Auditor;
    let customer: Customer;
    let capped: Customer;
    let traffic: Traffic | undefined;
    const seen: SeenAnswer[] = [];

    beforeAll(async () => {
      product = await productForTests();
      auditor = new Auditor(product.urls.database);
      await product.admin.importRates(STREAM_RATES);
      customer = await product.customer({ creditMicros: 50_000_000 });
      capped = await product.customer({
        creditMicros: 50_000_000,
        spend_cap_daily: 20,
        spend_cap_monthly: 40,
      });
      for (const provider of ['openai', 'anthropic'])
        await product.ratesAreIn(provider, STREAM_MODELS.halfASecond, customer.key);
    });
    afterAll(async () => {
      const ended = traffic?.stop();
      await auditor?.close();
      await product?.stop();
      await ended;
    });

    function streamsOf({ key }: Customer, model: string) {
      return { gatewayUrl: product.urls.gateway, key, model };
    }

    async function underLoad(killed: (load: Traffic) => Promise<SeenAnswer[]>): Promise<SeenAnswer[]> {
      const load = new Traffic(CLIENTS, streamsOf(capped, STREAM_MODELS.halfASecond));
      traffic = load;
      await product.waitUntil(() => load.complete >= CLIENTS, 'calls are answered');
      const answers = await killed(load);
      seen.push(...answers, ...(await load.stop()));
      return answers;
    }

    async function killedAndBack(part: Part, load: Traffic): Promise<void> {
      await product.kill(part, 'SIGKILL');
      await product.start(part);
      const before = load.complete;
      await product.waitUntil(() => load.complete > before + CLIENTS, 'calls go on', 30_000);
    }

    async function gatewayKilled(): Promise<void> {
      const answers = await underLoad(async (load) => {
        // These are about to end when the others are in their middle: some are killed at their terminal event.
        const ending = await openStreams(streams / 2, streamsOf(customer, STREAM_MODELS.fiveSeconds));
        await new Promise((resolve) => setTimeout(resolve, HEAD_START_MS));
        const open = await openStreams(streams, streamsOf(customer, STREAM_MODELS.fiveSeconds));
        await Promise.any(ending.map(({ over }) => over));
        expect(open.filter((stream) => stream.open)).toHaveLength(streams);
        await killedAndBack('gateway', load);
        return Promise.all([...ending, ...open].map(({ over }) => over));
      });
      expect(answers.filter(({ complete }) => !complete).length).toBeGreaterThanOrEqual(streams);
    }

    async function innerPartKilled(part: Part): Promise<void> {
      const answers = await underLoad(async (load) => {
        const open = await openStreams(10, streamsOf(customer, STREAM_MODELS.twoSeconds));
        await killedAndBack(part, load);
        return Promise.all(open.map(({ over }) => over));
      });
      expect(answers.filter(({ complete }) => !complete)).toEqual([]);
    }

    it('bills what a gateway measured while Postgres was away and had not shipped when it was killed', async () => {
      const open = await openStreams(20, streamsOf(customer, STREAM_MODELS.twoSeconds));
      await product.kill('postgres', 'SIGKILL');
      const answers = await Promise.all(open.map(({ over }) => over));
      expect(answers.filter(({ complete }) => !complete)).toEqual([]);
      await product.kill('gateway', 'SIGKILL');
      await product.start('postgres');
      await product.start('gateway');
      seen.push(...answers);
      await product.waitUntil(
        async () => (await auditor.unbilled(answers)).length === 0,
        'every answer is billed',
      );
    });

    it.each(parts.map((part, index) => ({ part, nth: index + 1 })))(
      'goes on after kill -9 of $part (number $nth); streams are cut by the gateway’s death only',
      ({ part }) => (part === 'gateway' ? gatewayKilled() : innerPartKilled(part)),
    );

    it('has one usage event and one settlement for each answer that was received in full', async () => {
      await product.waitUntil(
        async () => (await auditor.unbilled(seen)).length === 0 && (await auditor.onItsWay()).length === 0,
        'every answer is billed',
      );
      expect(seen.filter(({ complete }) => complete).length).toBeGreaterThan(parts.length * CLIENTS);
      expect(await auditor.unbilled(seen)).toEqual([]);
    });

    it(
      'ends the holds of killed streams after 60 s of silence, and lists them',
      async () => {
        await product.waitUntil(
          async () => (await auditor.openHolds()).length === 0,
          'no hold is open',
          EXPIRED_WITHIN_MS,
          500,
        );
        await product.waitUntil(async () => (await auditor.onItsWay()).length === 0, 'nothing is on its way');
        const { spools } = await product.admin.call<{ spools: { expired_holds: number }[] }>(
          'GET',
          '/spools',
        );
        const { expired } = await auditor.books();
        expect(spools.reduce((sum, { expired_holds }) => sum + expired_holds, 0)).toBe(expired);
        expect(expired).toBeGreaterThan(0);
        // A stream whose end was spooled before its terminal event left is settled though its client never saw it.
        expect(expired).toBeLessThanOrEqual(seen.filter(({ complete }) => !complete).length);
      },
      EXPIRED_WITHIN_MS + 30_000,
    );

    it('has books without a fault: invariants 1 to 5', async () => {
      const books = await auditor.books();
      expect(books.violations).toEqual([]);
      expect(books.openHolds).toBe(0);
      expect(books.usageEvents).toBe(books.settlements);
      process.stderr.write(
        `kills ${parts.join(', ')}: ${seen.length} calls, ${seen.filter(({ complete }) => complete).length} received in full; ` +
          `${books.usageEvents} usage events, ${books.settlements} settlements, ${books.expired} holds expired\n`,
      );
    });

    it('builds the same read models again from offset 0', async () => {
      const before = await auditor.readModels();
      await product.kill('projector', 'SIGKILL');
      await auditor.forgetReadModels();
      await product.start('projector');
      await product.waitUntil(
        async () => (await auditor.projectionsBegun()) && (await auditor.onItsWay()).length === 0,
        'the read models are built',
      );
      expect(await auditor.readModels()).toEqual(before);
    });

    it('had no death but those that were asked for', () => expect(product.deaths()).toEqual([]));
  });
}
