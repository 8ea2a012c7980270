import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { InstanceName } from '../../tools/standalone/settings.js';
import { Auditor } from './books.js';
import { type ProductUnderTest, productForTests } from './product-under-test.js';
import { ReadModelWatch, WATCHED, type Watched } from './read-model-watch.js';
import { ShardProbes, type ShardTenant, tenantPerShard } from './shard-probes.js';
import { at, spread } from './spread.js';
import { STREAM_RATES } from './stream-models.js';

const MODEL = 'sandbox-chunks10';
const CREDIT_MICROS = 100_000_000;
/** Between two calls of one tenant: some 25 calls a second in all. */
const PAUSE_MS = 600;
/** Every partition of both projections, and what is done once: replays, rebuilds, the watch over charges. */
const PLACES = 35;
/** Longer than the lease, so that the other one has everything when it wakes up. */
const STOPPED_MS = 8_000;
const PROJECTED_WITHIN_MS = 15_000;
const SPREAD_WITHIN_MS = 20_000;
/** What a projector that was away shall have time to do wrong, and between two hits. */
const REST_MS = 2_000;

export interface ProjectorTakeovers {
  deaths: number;
  stops: number;
  /** Each place of a projector that is gone is projected again within it, ms. */
  withinMs: number;
}

/** A partition of a projection. */
interface Place {
  projection: Watched;
  shard: number;
}

/** From an answer to its rows. */
interface Lag extends Place {
  answeredAt: number;
  ms: number;
}

/** The one story of projectors that die or hang, told short in the journeys and long in test/chaos. */
export function tellProjectorTakeovers({ deaths, stops, withinMs }: ProjectorTakeovers): void {
  describe(`two projectors, of which ${deaths} times one dies and ${stops} times one hangs`, () => {
    let product: ProductUnderTest;
    let auditor: Auditor;
    let tenants: ShardTenant[];
    let probes: ShardProbes;
    let watch: ReadModelWatch;
    const hits: { places: Place[]; from: number; to: number }[] = [];

    beforeAll(async () => {
      product = await productForTests({ instances: { projector: 2 } });
      auditor = new Auditor(product.urls.database, product.kafkaBrokers);
      const rates = STREAM_RATES.filter(({ provider }) => provider === 'openai').slice(0, 2);
      await product.admin.importRates(rates.map((row) => ({ ...row, model: MODEL })));
      // A tenant of its own: the watch knows the others' calls by their number.
      await product.ratesAreIn('openai', MODEL, (await product.customer()).key);
      tenants = await tenantPerShard(product.admin, CREDIT_MICROS);
      watch = new ReadModelWatch(
        product.urls.database,
        tenants.map(({ tenantId }) => tenantId),
      );
      probes = new ShardProbes(product.urls.gateways, tenants, MODEL, PAUSE_MS);
    });
    afterAll(async () => {
      await probes?.stop();
      await watch?.stop().catch(() => undefined);
      await auditor?.close();
      await product?.stop();
    });

    const shownAt = ({ projection, shard }: Place): readonly number[] =>
      watch.shownAt(projection, tenants[shard]?.tenantId ?? '');

    /** When the first call that began after `since` showed there. */
    function projectedAt(place: Place, since: number): number | undefined {
      const nth = probes.answersOf(place.shard).findIndex(({ startedAt }) => startedAt > since);
      return nth < 0 ? undefined : shownAt(place)[nth];
    }

    /** Who has what, by place. */
    async function owners(): Promise<Map<string, string>> {
      const rows = await auditor.rows<{ place: string; owner: string }>(
        'select place, owner from read.leases',
      );
      return new Map(rows.map(({ place, owner }) => [place, owner]));
    }

    /** Resolves with who has what when two have half of the places each. */
    function shared(): Promise<Map<string, string>> {
      return product.waitUntil(
        async () => {
          const now = await owners();
          const shares = Object.values(Object.groupBy(now.values(), (owner) => owner));
          return (
            now.size === PLACES &&
            shares.length === 2 &&
            Math.abs(sizeOf(shares[0]) * 2 - PLACES) === 1 &&
            now
          );
        },
        'the work is shared by two',
        SPREAD_WITHIN_MS,
        50,
      );
    }

    /** @returns how long each place of the projector that was hit took to be projected again, ms. */
    async function hit(target: InstanceName, signal: 'SIGKILL' | 'SIGSTOP'): Promise<number[]> {
      const before = await shared();
      await later(REST_MS);
      const from = performance.now();
      await product.kill(target, signal);
      const heir = await product.waitUntil(
        async () => {
          const now = await owners();
          const [owner, ...others] = new Set(now.values());
          return now.size === PLACES && others.length === 0 && owner;
        },
        'one projector has everything',
        PROJECTED_WITHIN_MS,
      );
      const places = [...before].filter(([, owner]) => owner !== heir).flatMap(([name]) => placeOf(name));
      const ends = await product.waitUntil(
        () => {
          const found = places.map((place) => projectedAt(place, from));
          return found.every((end) => end !== undefined) && found;
        },
        'all is projected again',
        PROJECTED_WITHIN_MS,
      );
      hits.push({ places, from, to: Math.max(...ends) });
      if (signal === 'SIGSTOP') {
        await later(from + STOPPED_MS - performance.now());
        await product.kill(target, 'SIGCONT');
      } else await product.start(target);
      return ends.map((end) => end - from);
    }

    function lags(): Lag[] {
      return WATCHED.flatMap((projection) =>
        tenants.flatMap((_, shard) => {
          const shown = shownAt({ projection, shard });
          return probes.answersOf(shard).map(({ endedAt }, nth) => {
            // It may show before its last byte is here.
            const ms = Math.max(0, (shown[nth] ?? Number.NaN) - endedAt);
            return { projection, shard, answeredAt: endedAt, ms };
          });
        }),
      );
    }

    /** The call waited for a place that nobody had: it was answered before the place was taken, and showed after the hit. */
    const isOfHit = ({ projection, shard, answeredAt, ms }: Lag): boolean =>
      hits.some(
        ({ places, from, to }) =>
          answeredAt < to &&
          answeredAt + ms > from &&
          places.some((place) => place.projection === projection && place.shard === shard),
      );

    it.each(Array.from({ length: deaths }, (_, nth) => nth))(
      `projects all that a dead one had again within ${withinMs} ms (death %#)`,
      async (nth) => {
        const target = nth % 2 === 0 ? 'projector' : 'projector-2';
        const times = await hit(target, 'SIGKILL');
        process.stderr.write(
          `${target} killed: ${times.length} places are projected again after ${spread(times)}\n`,
        );
        expect(at(times, 1)).toBeLessThan(withinMs);
      },
      90_000,
    );

    it.each(Array.from({ length: stops }, (_, nth) => nth))(
      `projects all that a stopped one had again within ${withinMs} ms, and shares with it when it wakes up (stop %#)`,
      async (nth) => {
        const target = nth % 2 === 0 ? 'projector' : 'projector-2';
        const times = await hit(target, 'SIGSTOP');
        process.stderr.write(
          `${target} stopped: ${times.length} places are projected again after ${spread(times)}\n`,
        );
        expect(at(times, 1)).toBeLessThan(withinMs);
        await shared();
        await later(REST_MS);
      },
      90_000,
    );

    it('has let no call fail, and shows each of them once', async () => {
      await probes.stop();
      expect(probes.seen.filter(({ complete }) => !complete)).toEqual([]);
      await product.waitUntil(
        async () => (await auditor.openHolds()).length === 0 && (await auditor.onItsWay()).length === 0,
        'everything is settled and told',
        30_000,
        250,
      );
      await watch.stop();
      for (const [shard] of tenants.entries())
        for (const projection of WATCHED)
          expect(shownAt({ projection, shard })).toHaveLength(probes.answersOf(shard).length);
      expect(await auditor.unbilled(probes.seen)).toEqual([]);
      const { true: meanwhile = [], false: else_ = [] } = Object.groupBy(lags(), (lag) =>
        String(isOfHit(lag)),
      );
      const told = (some: Lag[]): string => `${spread(some.map(({ ms }) => ms))} (${some.length})`;
      process.stderr.write(
        `from answer to read model: in a takeover ${told(meanwhile)}, before and after ${told(else_)}\n`,
      );
    }, 60_000);

    it('has read models that equal what ledger and log say, and has parked nothing', async () => {
      const books = await auditor.books();
      expect(books).toMatchObject({ violations: [], openHolds: 0, expired: 0 });
      expect(books.usageEvents).toBe(books.settlements);
      expect(product.deaths()).toEqual([]);
    }, 60_000);
  });
}

/** Of a lease's name that of a partition's; nothing for what is done once. */
function placeOf(name: string): Place[] {
  const [projection, , shard] = name.split('/');
  return WATCHED.filter((watched) => watched === projection).map((watched) => ({
    projection: watched,
    shard: Number(shard),
  }));
}

function sizeOf(some: readonly unknown[] | undefined): number {
  return some?.length ?? 0;
}

function later(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
