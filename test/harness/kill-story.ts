import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { APPS, type AppName } from '../../tools/standalone/settings.js';
import { Auditor } from './books.js';
import { type Hit, tableOf } from './kill-table.js';
import {
  type Customer,
  type ProductOptions,
  type ProductUnderTest,
  productForTests,
  type Target,
} from './product-under-test.js';
import { STREAM_MODELS, STREAM_RATES } from './stream-models.js';
import { openStreams, type SeenAnswer, Traffic } from './streams.js';

export interface Kills extends Pick<ProductOptions, 'log' | 'instances'> {
  /** How often each is killed, in the order of the parts; of several processes of an app one after the other. */
  rounds: number;
  parts: readonly (AppName | 'postgres' | 'kafka')[];
  /** How often each app is stopped (SIGSTOP) for 8 s. */
  stops: number;
  /** After how much silence of a gateway its holds end: what is stopped or killed must be back well before. */
  silenceMs: number;
}

/** Streams of 12 s that are open at each gateway whenever something is hit, and somewhat more clients that see to it. */
const STREAMS = 50;
const LONG_CLIENTS = 54;
const CLIENTS = 8;
/** Share a credit for a few holds, so that an admission that should not be shows. */
const RACERS = 4;
const RACERS_CREDIT_MICROS = 20_000;
const STOPPED_MS = 8_000;
/** Between the return of one part and the hit of the next. */
const REST_MS = 2_000;
const BACK_WITHIN_MS = 40_000;
/** The holds of a gateway that is gone end after its silence, which begins anew when the ledger itself comes back. */
const EXPIRED_MS = 15_000;

/** The one story of killed processes, told short in the journeys and long in test/chaos. */
export function tellKills({ rounds, parts, stops, silenceMs, ...options }: Kills): void {
  const expiredWithinMs = silenceMs + EXPIRED_MS;
  const plan: { part: AppName | 'postgres' | 'kafka'; signal: 'SIGKILL' | 'SIGSTOP'; nth: number }[] = [
    ...parts.flatMap((part) =>
      Array.from({ length: rounds }, (_, nth) => ({ part, signal: 'SIGKILL' as const, nth })),
    ),
    ...Array.from({ length: stops }, (_, nth) =>
      APPS.filter((app) => parts.includes(app)).map((part) => ({ part, signal: 'SIGSTOP' as const, nth })),
    ).flat(),
  ];

  describe(`a product whose processes are killed under load (${rounds} times ${parts.join(', ')})`, () => {
    let product: ProductUnderTest;
    let auditor: Auditor;
    let customer: Customer;
    let long: Traffic;
    let short: Traffic;
    let racing: Traffic;
    let racers: Customer;
    const hits: Hit[] = [];
    const before: SeenAnswer[] = [];
    const seen = (): SeenAnswer[] => [...before, ...hits.flatMap(({ answers }) => answers)];

    beforeAll(async () => {
      product = await productForTests({ ...options, env: { VENDO_SPOOL_SILENCE_MS: String(silenceMs) } });
      auditor = new Auditor(product.urls.database, product.kafkaBrokers);
      await product.admin.importRates(STREAM_RATES);
      customer = await product.customer({ creditMicros: 500_000_000 });
      racers = await product.customer({ creditMicros: RACERS_CREDIT_MICROS });
      for (const provider of ['openai', 'anthropic'])
        await product.ratesAreIn(provider, STREAM_MODELS.halfASecond, customer.key);
    });
    afterAll(async () => {
      await auditor?.close();
      await product?.stop();
      await Promise.all([long, short, racing].map((traffic) => traffic?.stop()));
    });

    function streamsOf({ key }: Customer, model: string) {
      return { gatewayUrl: product.urls.gateways, key, model };
    }

    async function begin(): Promise<void> {
      const capped = await product.customer({
        creditMicros: 500_000_000,
        spend_cap_daily: 400,
        spend_cap_monthly: 400,
      });
      const gateways = product.urls.gateways.length;
      long = new Traffic(LONG_CLIENTS * gateways, streamsOf(customer, STREAM_MODELS.twelveSeconds));
      short = new Traffic(CLIENTS, streamsOf(capped, STREAM_MODELS.halfASecond));
      racing = new Traffic(RACERS, streamsOf(racers, STREAM_MODELS.halfASecond), 200);
    }

    /** What has ended since the last time. */
    const taken = new Map<Traffic, number>();
    function newAnswers(): SeenAnswer[] {
      return [long, short, racing].flatMap((traffic) => {
        const from = taken.get(traffic) ?? 0;
        taken.set(traffic, traffic.seen.length);
        return traffic.seen.slice(from);
      });
    }

    /** Those that the target's end can cut: of a gateway its own. */
    function openAt(target: Target): number {
      const gateways: Target[] = product.instancesOf('gateway');
      return long.open(product.urls.gateways[gateways.indexOf(target)]);
    }

    async function hit({ part, signal, nth }: (typeof plan)[number]): Promise<void> {
      const names: Target[] = part === 'postgres' || part === 'kafka' ? [part] : product.instancesOf(part);
      const target = names[nth % names.length] ?? part;
      await later(REST_MS);
      const open = await product.waitUntil(
        () => openAt(target) >= STREAMS && openAt(target),
        `${STREAMS} streams`,
        BACK_WITHIN_MS,
      );
      await product.kill(target, signal);
      if (signal === 'SIGSTOP') {
        await later(STOPPED_MS);
        await product.kill(target, 'SIGCONT');
      } else await product.start(target);
      const complete = short.complete;
      await product.waitUntil(() => short.complete > complete + CLIENTS, 'calls go on', BACK_WITHIN_MS);
      await product.waitUntil(() => product.admin.credit(racers.tenantId, 2_000), 'a credit', BACK_WITHIN_MS);
      hits.push({ part, signal, open, answers: newAnswers() });
    }

    it('bills what a gateway measured while Postgres was away and had not shipped when it was killed', async () => {
      const open = await openStreams(20, {
        ...streamsOf(customer, STREAM_MODELS.twoSeconds),
        gatewayUrl: product.urls.gateway,
      });
      await product.kill('postgres', 'SIGKILL');
      const answers = await Promise.all(open.map(({ over }) => over));
      expect(answers.filter(({ complete }) => !complete)).toEqual([]);
      await product.kill('gateway', 'SIGKILL');
      await product.start('postgres');
      await product.start('gateway');
      before.push(...answers);
      await product.waitUntil(
        async () => (await auditor.unbilled(answers)).length === 0,
        'every answer is billed',
        BACK_WITHIN_MS,
      );
      await begin();
    });

    it.each(plan)(
      'goes on after $signal of $part (round $nth); only the death of its gateway cuts a stream',
      async (step) => {
        await hit(step);
        const last = hits.at(-1);
        expect(last?.open).toBeGreaterThanOrEqual(STREAMS);
        const cut = last?.answers.filter(({ status, complete }) => status === 200 && !complete) ?? [];
        if (step.part === 'gateway' && step.signal === 'SIGKILL') expect(cut.length).toBeGreaterThan(0);
        else expect(cut).toEqual([]);
      },
      120_000,
    );

    it('has one usage event and one settlement for each answer that was received in full', async () => {
      await Promise.all([long, short, racing].map((traffic) => traffic.stop()));
      before.push(...newAnswers());
      await product.waitUntil(
        async () => (await auditor.unbilled(seen())).length === 0 && (await auditor.onItsWay()).length === 0,
        'every answer is billed',
        BACK_WITHIN_MS,
        500,
      );
      expect(seen().filter(({ complete }) => complete).length).toBeGreaterThan(plan.length * CLIENTS);
    }, 120_000);

    it(
      `ends the holds of killed streams after ${silenceMs / 1_000} s of silence, and lists them`,
      async () => {
        await product.waitUntil(
          async () => (await auditor.openHolds()).length === 0,
          'no hold is open',
          expiredWithinMs,
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
        expect(expired).toBeLessThanOrEqual(seen().filter(({ complete }) => !complete).length);
      },
      expiredWithinMs + 60_000,
    );

    it('has books without a fault: invariants 1 to 5', async () => {
      const books = await auditor.books();
      const table = await tableOf(hits, seen(), auditor);
      process.stderr.write(`${table.text}\n`);
      expect(table.faults).toEqual({ lost: 0, doubled: 0, overspent: 0, openHolds: 0 });
      expect(books.violations).toEqual([]);
      expect(books.usageEvents).toBe(books.settlements);
    }, 120_000);

    it('builds the same read models again from offset 0', async () => {
      const models = await auditor.readModels();
      for (const name of product.instancesOf('projector')) await product.kill(name, 'SIGKILL');
      await auditor.forgetReadModels();
      for (const name of product.instancesOf('projector')) await product.start(name);
      await product.waitUntil(
        async () => (await auditor.projectionsBegun()) && (await auditor.onItsWay()).length === 0,
        'the read models are built',
        BACK_WITHIN_MS,
      );
      expect(await auditor.readModels()).toEqual(models);
    });

    it('had no death but those that were asked for', () => expect(product.deaths()).toEqual([]));
  });
}

function later(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
