import { setTimeout as later } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Auditor } from './books.js';
import { type Customer, type ProductUnderTest, productForTests } from './product-under-test.js';
import { secretsWatch } from './secrets-watch.js';
import { ANSWER_BYTES, BYTES_PER_SECOND, SlowClients, type Standing } from './slow-clients.js';
import { at, type Times, TRICKLE_RATES, Trickle } from './trickle.js';

export interface SlowStory {
  clients: number;
  /** How long they read, from when the last of them has its first bytes. */
  readForMs: number;
  /** How long others are measured before they come. */
  aloneForMs: number;
  /** What memory may grow by in the second half of the time; a process that was just started still grows by itself. */
  flat: number;
  /** No 99th percentile of others' times under this counts as slow, ms: few calls, or a machine that does other things. */
  p99FloorMs: number;
}

const MODEL = 'slow-story';
const WARM_UP_MS = 1_000;
/** A full socket takes no more for long, and then so much at once. */
const PIECE_BYTES = 262_144;
/** What the gateway may keep for a client, which is a few reads of 64 KiB; and what a process grows by at its first load. */
const KEPT_BYTES = { perClient: 500_000, once: 150_000_000 };
/** The slowest of 100 other calls: twice as slow at most. */
const P99_TIMES = 2;
const SETTLED_WITHIN_MS = 60_000;

/** What the gateway says of its memory, bytes. */
interface Memory {
  resident: number;
  heap: number;
  external: number;
}

interface Phase {
  times: Times;
  memory: Memory[];
}

/** The story of clients that read slowly what comes fast, told short in the journeys and long in test/chaos. */
export function tellSlowClients({ clients, readForMs, aloneForMs, flat, p99FloorMs }: SlowStory): void {
  if (!SlowClients.canRun()) {
    process.stderr.write('NO CLIENT WAS SLOW: there is no Python 3\n');
    it('may not be run without Python where everything must hold', () =>
      expect(process.env.CI).toBeUndefined());
    return;
  }

  describe(`${clients} clients that read 1 KB/s for ${readForMs / 1_000} s`, () => {
    let slow: SlowClients;
    let product: ProductUnderTest;
    let auditor: Auditor;
    let reader: Customer;
    let trickle: Trickle;
    let heads: string[];
    let begun: Standing;
    let ended: Standing;
    let held: number;
    let without: Phase;
    let reading: Phase;

    beforeAll(async () => {
      slow = SlowClients.start();
      product = await productForTests({ upstreams: { anthropic: await slow.upstream() } });
      auditor = new Auditor(product.urls.database, product.kafkaBrokers);
      const price = { provider: 'anthropic', model: MODEL, unit_cost_usd: '1.37', per: '1000000' };
      const rates = ['input_tokens', 'output_tokens'].map((meter) => ({ ...price, meter }));
      await product.admin.importRates([...rates, ...TRICKLE_RATES]);
      reader = await product.customer({ creditMicros: 1_000_000_000 });
      const other = await product.customer({ creditMicros: 100_000_000 });
      for (const { model } of TRICKLE_RATES) await product.ratesAreIn('openai', model, other.key);
      trickle = new Trickle(product, other.key);
      await tell();
    });
    afterAll(async () => {
      await auditor?.close();
      await product?.stop();
      await slow?.stop();
    });

    async function tell(): Promise<void> {
      await trickle.during(later(WARM_UP_MS));
      without = await during('without them', later(aloneForMs));
      await during('while they come', come());
      begun = await slow.look();
      reading = await during('while they read', later(readForMs));
      ended = await slow.look();
      held = await heldOf(reader);
      await during('while they leave', leave());
    }

    async function come(): Promise<void> {
      heads = await slow.open(clients, {
        url: `${product.proxyUrl('anthropic')}/v1/messages`,
        headers: {
          authorization: `Bearer ${reader.key}`,
          'content-type': 'application/json',
          'anthropic-version': '2023-06-01',
        },
        body: JSON.stringify({
          model: MODEL,
          stream: true,
          max_tokens: 2_000,
          messages: [{ role: 'user', content: 'Tell me all of it' }],
        }),
      });
      secretsWatch.look('the first bytes of slow clients', heads.join('\n'));
      await product.waitUntil(providerStands, 'the provider can send no more', 60_000, 0);
    }

    async function providerStands(): Promise<boolean> {
      const before = sum((await slow.look()).taken);
      await later(500);
      return sum((await slow.look()).taken) === before;
    }

    async function leave(): Promise<void> {
      await slow.leave();
      await product.waitUntil(
        async () => (await heldOf(reader)) === 0,
        'their holds are settled',
        SETTLED_WITHIN_MS,
        200,
      );
    }

    async function heldOf({ tenantId }: Customer): Promise<number> {
      return (await auditor.openHolds()).filter((hold) => hold.tenant_id === tenantId).length;
    }

    async function during(what: string, work: Promise<unknown>): Promise<Phase> {
      const memory: Memory[] = [];
      let isOver = false;
      const sampling = (async () => {
        for (; !isOver; await later(1_000)) memory.push(await memoryOf(product));
      })();
      const times = await trickle.during(work).finally(() => {
        isOver = true;
      });
      await sampling;
      process.stderr.write(`${what}: ${told(times)}; ${toldMemory(memory)}\n`);
      return { times, memory };
    }

    it('gives each its first bytes, and lets the provider send no more than the buffers on the way hold', () => {
      const { taken } = ended;
      const mean = sum(taken) / taken.length;
      process.stderr.write(
        `of answers of ${megabytes(ANSWER_BYTES)} the provider got rid of ${megabytes(mean)} (at most ${megabytes(Math.max(...taken))})\n`,
      );
      expect(heads.filter((head) => !head.startsWith('HTTP/1.1 200 '))).toEqual([]);
      expect(heads).toHaveLength(clients);
      expect({ open: taken.length, ended: ended.ended }).toEqual({ open: clients, ended: 0 });
      expect(mean).toBeLessThan(ANSWER_BYTES / 2);
      const read = (sum(ended.read) - sum(begun.read)) / clients;
      expect((sum(taken) - sum(begun.taken)) / clients).toBeLessThan(read + PIECE_BYTES);
    });

    it('counts none of them as gone', () => {
      const seconds = (ended.atMs - begun.atMs) / 1_000;
      const rates = ended.read.map((bytes, nth) => (bytes - (begun.read[nth] ?? 0)) / seconds);
      process.stderr.write(
        `they read ${at(rates, 0).toFixed(0)} to ${at(rates, 1).toFixed(0)} bytes a second\n`,
      );
      expect({ cut: ended.cut, held }).toEqual({ cut: 0, held: clients });
      expect(at(rates, 0.01)).toBeGreaterThan(0.8 * BYTES_PER_SECOND);
      expect(at(rates, 1)).toBeLessThan(1.2 * BYTES_PER_SECOND);
    });

    it('keeps its memory flat', () => {
      const residentOf = ({ resident }: Memory): number => resident;
      const resident = reading.memory.map(residentOf);
      const middle = resident.length >> 1;
      const [first, second] = [at(resident.slice(0, middle), 0.5), at(resident.slice(middle), 0.5)];
      const grownBy = at(resident, 0.5) - at(without.memory.map(residentOf), 0.5);
      process.stderr.write(
        `resident ${megabytes(first)} in the first half, ${megabytes(second)} in the second; grown by ${megabytes(grownBy)}, ${(grownBy / clients / 1_000).toFixed(0)} KB a client\n`,
      );
      expect(second).toBeLessThan(flat * first);
      expect(grownBy).toBeLessThan(KEPT_BYTES.once + KEPT_BYTES.perClient * clients);
    });

    it('answers others nearly as fast as without them', () => {
      const [alone, beside] = [without, reading].map(({ times }) => at(Object.values(times).flat(), 0.99));
      expect(trickle.seen.filter(({ complete }) => !complete)).toEqual([]);
      expect(beside).toBeLessThan(Math.max(P99_TIMES * (alone ?? Number.NaN), p99FloorMs));
    });

    it('settles all of them when they have left, in books without a fault', async () => {
      await product.waitUntil(
        async () => (await auditor.onItsWay()).length === 0,
        'nothing is on its way',
        30_000,
      );
      const ends = await auditor.rows<{ outcome: string; evidence: string; calls: number }>(
        `select outcome, evidence, count(*)::int as calls from read.usage_events where tenant_id = $1 group by 1, 2 order by 2`,
        [reader.tenantId],
      );
      process.stderr.write(
        `${ends.map((end) => `${end.calls} ${end.outcome}, ${end.evidence}`).join('; ')}\n`,
      );
      expect([...new Set(ends.map(({ outcome }) => outcome))]).toEqual(['client_aborted']);
      expect(sum(ends.map(({ calls }) => calls))).toBe(clients);
      expect(await auditor.unbilled(trickle.seen)).toEqual([]);
      const books = await auditor.books();
      expect(books).toMatchObject({ violations: [], openHolds: 0, expired: 0 });
      expect(books.usageEvents).toBe(books.settlements);
      expect(product.deaths()).toEqual([]);
    });
  });
}

async function memoryOf(product: ProductUnderTest): Promise<Memory> {
  const { body } = await product.raw({ method: 'GET', path: '/metrics' });
  const figure = (name: string): number =>
    Number(new RegExp(`^vendo_${name}\\{.*\\} (\\S+)$`, 'm').exec(body.toString())?.[1]);
  return {
    resident: figure('process_resident_memory_bytes'),
    heap: figure('nodejs_heap_size_used_bytes'),
    external: figure('nodejs_external_memory_bytes'),
  };
}

function told(times: Times): string {
  return Object.entries({ ...times, all: Object.values(times).flat() })
    .map(([kind, each]) => {
      const [p50, p99, max] = [0.5, 0.99, 1].map((share) => at(each, share).toFixed(1));
      return `${each.length} ${kind} p50 ${p50} p99 ${p99} max ${max} ms`;
    })
    .join(', ');
}

function toldMemory(memory: readonly Memory[]): string {
  return (['resident', 'heap', 'external'] as const)
    .map((part) => {
      const figures = memory.map((each) => each[part]);
      return `${part} ${megabytes(at(figures, 0))} to ${megabytes(at(figures, 1))}`;
    })
    .join(', ');
}

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`;
}

function sum(figures: readonly number[]): number {
  return figures.reduce((total, figure) => total + figure, 0);
}
