import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { InstanceName } from '../../tools/standalone/settings.js';
import { Auditor } from './books.js';
import { type ProductUnderTest, productForTests } from './product-under-test.js';
import { ShardProbes, tenantPerShard } from './shard-probes.js';
import { at, spread } from './spread.js';
import { STREAM_RATES } from './stream-models.js';

const MODEL = 'sandbox-chunks10';
const CREDIT_MICROS = 100_000_000;
const PAUSE_MS = 150;
const ANSWERED_WITHIN_MS = 15_000;
/** Longer than the lease, so that the others own everything when it wakes up. */
const STOPPED_MS = 8_000;
const SPREAD_WITHIN_MS = 30_000;

export interface Takeovers {
  deaths: number;
  stops: number;
  /** 99 of 100 shards are answered again within it, ms. */
  withinMs: number;
}

/** The one story of owners that die or hang, told short in the journeys and long in test/chaos. */
export function tellTakeovers({ deaths, stops, withinMs }: Takeovers): void {
  describe(`two ledgers, of which ${deaths} times an owner of shards dies and ${stops} times one hangs`, () => {
    let product: ProductUnderTest;
    let auditor: Auditor;
    let probes: ShardProbes;
    const tookMs: number[] = [];

    beforeAll(async () => {
      product = await productForTests({ instances: { gateway: 2, ledger: 2, projector: 2 } });
      auditor = new Auditor(product.urls.database, product.kafkaBrokers);
      const rate = STREAM_RATES.filter(({ provider }) => provider === 'openai').slice(0, 2);
      await product.admin.importRates(rate.map((row) => ({ ...row, model: MODEL })));
      const tenants = await tenantPerShard(product.admin, CREDIT_MICROS);
      await product.ratesAreIn('openai', MODEL, tenants[0]?.key ?? '');
      probes = new ShardProbes(product.urls.gateways, tenants, MODEL, PAUSE_MS);
    });
    afterAll(async () => {
      await probes?.stop();
      await auditor?.close();
      await product?.stop();
    });

    async function shardsOf(ledger: InstanceName): Promise<number[]> {
      const url = product.urls.ledgers[product.instancesOf('ledger').indexOf(ledger)];
      const rows = await auditor.rows<{ shard: number }>(
        'select shard from ledger.shards s join ledger.members m on m.id = s.owner where m.url = $1',
        [url],
      );
      return rows.map(({ shard }) => shard);
    }

    /** @returns when each shard of the ledger that was hit was answered again, ms after it. */
    async function hit(nth: number, signal: 'SIGKILL' | 'SIGSTOP'): Promise<number[]> {
      const ledgers = product.instancesOf('ledger');
      await product.waitUntil(
        async () => (await Promise.all(ledgers.map(shardsOf))).every((shards) => shards.length > 0),
        'both own shards',
        SPREAD_WITHIN_MS,
        100,
      );
      const target = ledgers[nth % ledgers.length] ?? 'ledger';
      const shards = await shardsOf(target);
      const since = performance.now();
      await product.kill(target, signal);
      const answered = await product.waitUntil(
        () => {
          const ends = shards.map((shard) => probes.answeredAt(shard, since));
          return ends.every((end) => end !== undefined) && ends;
        },
        `shards ${shards.join(', ')} are answered again`,
        ANSWERED_WITHIN_MS,
      );
      if (signal === 'SIGSTOP') {
        await new Promise((resolve) => setTimeout(resolve, since + STOPPED_MS - performance.now()));
        await product.kill(target, 'SIGCONT');
      } else await product.start(target);
      return answered.map((end) => (end ?? Number.NaN) - since);
    }

    it.each(Array.from({ length: deaths }, (_, nth) => nth))(
      'takes the shards of a dead owner over (death %#)',
      async (nth) => {
        tookMs.push(...(await hit(nth, 'SIGKILL')));
      },
      90_000,
    );

    it.each(Array.from({ length: stops }, (_, nth) => nth))(
      'fences an owner that hangs and wakes up (stop %#)',
      async (nth) => {
        const times = await hit(nth, 'SIGSTOP');
        process.stderr.write(
          `owner stopped: its shards are answered after ${spread(times)} (${times.length} shards)\n`,
        );
        expect(at(times, 0.99)).toBeLessThan(withinMs);
      },
      90_000,
    );

    it(`has answered the shards of dead owners again within ${withinMs} ms`, () => {
      process.stderr.write(
        `${deaths} owners died: their shards are answered after ${spread(tookMs)} (${tookMs.length} shards)\n`,
      );
      expect(at(tookMs, 0.99)).toBeLessThan(withinMs);
    });

    it('has refused calls meanwhile with 503 at most, and billed each answer once', async () => {
      await probes.stop();
      const statuses = Object.groupBy(probes.seen, ({ status }) => status);
      process.stderr.write(
        `calls by status: ${Object.entries(statuses)
          .map(([status, calls]) => `${status}: ${calls?.length}`)
          .join(', ')}\n`,
      );
      expect(Object.keys(statuses).filter((status) => !['200', '503'].includes(status))).toEqual([]);
      await product.waitUntil(
        async () => (await auditor.openHolds()).length === 0 && (await auditor.onItsWay()).length === 0,
        'everything is settled and told',
        30_000,
        250,
      );
      expect(await auditor.unbilled(probes.seen)).toEqual([]);
    }, 60_000);

    it('has decided nothing twice: each hold opened once and ended once, in books without a fault', async () => {
      const doubled = await auditor.rows(
        `select hold_id from ledger.journal where hold_id is not null group by hold_id
         having count(*) filter (where kind = 'opened') <> 1 or count(*) filter (where kind <> 'opened') <> 1`,
      );
      expect(doubled).toEqual([]);
      const books = await auditor.books();
      expect(books).toMatchObject({ violations: [], openHolds: 0, expired: 0 });
      expect(books.usageEvents).toBe(books.settlements);
      expect(product.deaths()).toEqual([]);
    }, 60_000);
  });
}
