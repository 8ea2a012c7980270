import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { missingForKafka } from '../../tools/kafka/kafka.mjs';
import { Auditor } from './books.js';
import { type Customer, type ProductUnderTest, productForTests } from './index.js';
import { KafkaTopics } from './kafka-topics.js';
import { STREAM_MODELS, STREAM_RATES } from './stream-models.js';
import { ClientStream, type SeenAnswer, Traffic } from './streams.js';

const CLIENTS = 8;
const LONG_STREAMS = 50;
const CREDIT_MICROS = 10_000_000_000;
/** Calls before the journey: the one of each provider that found its price. */
const FIRST_CALLS = 2;
/** After the broker answers again: clients and consumers try again every few seconds, then the backlog is read. */
const SETTLED_WITHIN_MS = 60_000;

export interface Outage {
  stoppedMs: number;
  /** A model of the sandbox whose streams wait until they are released, after the outage. */
  longModel: string;
}

/**
 * The one story of a product whose broker is killed, told short in the journeys and long in test/chaos. The broker is
 * its own, whatever KAFKA_BROKERS says.
 * Needs Java, and Maven for the first time.
 */
export async function tellKafkaOutage({ stoppedMs, longModel }: Outage): Promise<void> {
  const missing = await missingForKafka();
  if (missing && process.env.CI === 'true')
    throw new Error(`no ${missing}: the outage of Kafka is not tested`);
  if (missing) process.stderr.write(`KAFKA'S OUTAGE WAS NOT TESTED: there is no ${missing}\n`);

  (missing ? describe.skip : describe)(`a product whose Kafka is away for ${stoppedMs / 1_000} s`, () => {
    let topics: KafkaTopics;
    let product: ProductUnderTest;
    let auditor: Auditor;
    let customer: Customer;
    const seen: SeenAnswer[] = [];

    beforeAll(async () => {
      product = await productForTests({ log: 'own kafka' });
      topics = new KafkaTopics(product.kafkaBrokers ?? '');
      auditor = new Auditor(product.urls.database, product.kafkaBrokers);
      await product.admin.importRates(STREAM_RATES);
      customer = await product.customer({ creditMicros: CREDIT_MICROS });
      for (const provider of ['openai', 'anthropic'])
        await product.ratesAreIn(provider, longModel, customer.key);
    });
    afterAll(async () => {
      await auditor?.close();
      await product?.stop();
    });

    function request(model: string) {
      return { gatewayUrl: product.urls.gateway, key: customer.key, model };
    }

    async function count(sql: string): Promise<number> {
      const [row] = await auditor.rows<{ n: number }>(`select count(*)::int as n ${sql}`);
      return row?.n ?? 0;
    }
    const openHolds = () => count('from ledger.holds');
    const expired = () => count(`from ledger.journal where kind = 'expired'`);
    const settlements = () => count(`from ledger.journal where kind in ('settled', 'late')`);

    /** Every answer that a client received in full is billed, no hold is open, and every reader has caught up. */
    async function everythingSettled(): Promise<void> {
      await product.waitUntil(
        async () =>
          (await openHolds()) === 0 &&
          (await auditor.unbilled(seen)).length === 0 &&
          (await auditor.onItsWay()).length === 0,
        'everything is settled and told',
        SETTLED_WITHIN_MS,
        250,
      );
    }

    it(
      'goes on answering, keeps the holds, and settles everything when Kafka is back',
      async () => {
        const long = Array.from(
          { length: LONG_STREAMS },
          (_, index) =>
            new ClientStream({ ...request(longModel), provider: index % 2 === 0 ? 'openai' : 'anthropic' }),
        );
        await Promise.all(long.map(({ begun }) => begun));
        const traffic = new Traffic(CLIENTS, request(STREAM_MODELS.halfASecond));
        await product.waitUntil(() => traffic.complete > 3 * CLIENTS, 'calls are answered');

        await product.kill('kafka', 'SIGKILL');
        await later(1_000);
        const [answeredBefore, settledBefore] = [traffic.complete, await settlements()];
        await later(stoppedMs - 1_000);
        const [answeredMeanwhile, held] = [traffic.complete - answeredBefore, await openHolds()];
        expect(await settlements()).toBe(settledBefore);
        expect(await expired()).toBe(0);
        expect(answeredMeanwhile).toBeGreaterThan((CLIENTS * stoppedMs) / 2_000);
        expect(held).toBeGreaterThanOrEqual(answeredMeanwhile + LONG_STREAMS);
        expect(long.filter((stream) => stream.open)).toHaveLength(LONG_STREAMS);

        await product.start('kafka');
        const back = Date.now();
        await product.waitUntil(
          async () => (await settlements()) >= settledBefore + answeredMeanwhile,
          'what ended meanwhile is settled',
          SETTLED_WITHIN_MS,
          50,
        );
        process.stderr.write(
          `Kafka away ${stoppedMs / 1_000} s: ${answeredMeanwhile} calls answered meanwhile, settled ${Date.now() - back} ms after it was back\n`,
        );
        await product.releaseStreams();
        seen.push(...(await Promise.all(long.map(({ over }) => over))), ...(await traffic.stop()));
        expect(seen.filter(({ complete }) => !complete)).toEqual([]);
        await everythingSettled();
        expect(await expired()).toBe(0);
      },
      stoppedMs + SETTLED_WITHIN_MS + 180_000,
    );

    it('has topics without a hole and books without a fault', async () => {
      expect((await topics.report(auditor)).violations).toEqual([]);
      const calls = FIRST_CALLS + seen.length;
      expect(await auditor.books()).toEqual({
        violations: [],
        usageEvents: calls,
        settlements: calls,
        expired: 0,
        openHolds: 0,
      });
      const usage = await customer.billing.usage('month');
      expect(usage.calls).toBe(calls);
      const balance = await customer.billing.balance();
      expect(balance.credits_remaining_micros).toBe(CREDIT_MICROS - usage.total_micros);
    });

    it(
      'can be started, and answers, while Kafka is away',
      async () => {
        await product.kill('kafka', 'SIGKILL');
        for (const part of ['ledger', 'gateway', 'projector'] as const) await product.kill(part, 'SIGKILL');
        for (const part of ['ledger', 'gateway', 'projector'] as const) await product.start(part);
        const traffic = new Traffic(CLIENTS, request(STREAM_MODELS.halfASecond));
        await product.waitUntil(() => traffic.complete > 3 * CLIENTS, 'calls are answered');
        const before = seen.length;
        seen.push(...(await traffic.stop()));
        expect(seen.slice(before).filter(({ complete }) => !complete)).toEqual([]);
        await product.start('kafka');
        await everythingSettled();
        expect((await topics.report(auditor)).violations).toEqual([]);
        expect((await auditor.books()).violations).toEqual([]);
      },
      SETTLED_WITHIN_MS + 120_000,
    );

    it('ends within its 10 s while Kafka takes connections and answers nothing', async () => {
      await product.kill('kafka', 'SIGSTOP');
      expect(product.deaths()).toEqual([]);
      await new ClientStream({ ...request(STREAM_MODELS.halfASecond), provider: 'openai' }).over;
      await product.stop();
    });
  });
}

function later(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
