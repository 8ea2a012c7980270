import type http from 'node:http';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { METERS } from '@vendo/events';
import { Rational } from '@vendo/money';
import { RateBook } from '@vendo/pricing';
import { PROVIDERS } from '../providers/registry.js';
import type { JobBegun, Lines, Owed, Scene, Scenes } from './exit-scenes/memory.scene.contract.js';
import { type Got, send } from './memory.proxy-client.js';
import { ProxyWorld } from './memory.proxy-world.js';

/** $10 for a million units of anything, and 20 % margin; a dollar for one. */
const MICROS_PER_UNIT = 12;

/** Instead of a number of parts: the provider has the request and has answered nothing. */
const BEFORE_HEADERS = null;

/** How many parts of the answer the client has. */
type Come = number | typeof BEFORE_HEADERS;

/** Where a call can end: the parts that have come. After the report of some answers nothing can. */
const POINTS = [
  ['before the headers', BEFORE_HEADERS],
  ['at the first byte', 0],
  ['after the first part', 1],
  ['before the usage report', 2],
  ['after the usage report', 3],
] as const;

/** A call of which the client has received the headers and so many parts of the answer, or nothing; the rest is held back. */
export class Standing {
  readonly got: Promise<Got | null>;
  readonly leave: () => void;
  private readonly response: Promise<http.ServerResponse>;
  private received = 0;
  private readonly headers = Promise.withResolvers<void>();
  private readonly progress = new Set<() => void>();

  constructor(
    world: ProxyWorld,
    readonly scene: Scene,
    readonly come: Come,
  ) {
    const held = Promise.withResolvers<http.ServerResponse>();
    this.response = held.promise;
    world.answer = (_request, response) => held.resolve(response);
    const { got, leave } = send(world, {
      ...scene.request,
      onHead: () => this.headers.resolve(),
      onData: (bytes) => {
        this.received += bytes.length;
        for (const told of this.progress) told();
      },
    });
    this.got = got;
    this.leave = leave;
  }

  /** Resolves when the client has what it shall have. */
  async begun(): Promise<this> {
    const response = await this.response;
    if (this.come === BEFORE_HEADERS) return this;
    this.sendHead(response);
    const sent = this.sent();
    if (sent !== '') response.write(sent);
    await this.headers.promise;
    while (!this.scene.isOwn && this.received < Buffer.byteLength(sent))
      await new Promise<void>((resolve) => this.progress.add(resolve));
    return this;
  }

  async goOn(): Promise<void> {
    const response = await this.response;
    if (this.come === BEFORE_HEADERS) this.sendHead(response);
    response.end(this.scene.parts.slice(this.come ?? 0).join(''));
  }

  async die(): Promise<void> {
    (await this.response).destroy();
  }

  /** What the client got is what had been sent, broken off. */
  async expectTorn(): Promise<void> {
    const got = await this.got;
    expect(got).toMatchObject({ status: 200, broken: true });
    expect(got?.body.toString()).toBe(this.scene.isOwn ? '' : this.sent());
  }

  private sent(): string {
    return this.scene.parts.slice(0, this.come ?? 0).join('');
  }

  private sendHead(response: http.ServerResponse): void {
    const length = Buffer.byteLength(this.scene.parts.join(''));
    response.writeHead(200, {
      'content-type': this.scene.type,
      ...(this.scene.type === 'application/json' ? { 'content-length': length } : {}),
      ...this.scene.headers,
    });
    response.flushHeaders();
  }
}

/** Everything has a price, so that whatever is measured is charged. */
export function priceEverything(world: ProxyWorld): void {
  const [tier, contextFrom, effectiveFrom, version, free] = ['standard', 0, 0, 1, false] as const;
  const rates = PROVIDERS.flatMap(({ slug }) =>
    METERS.map((meter) => ({
      ...{ provider: slug, model: '*', meter, tier, contextFrom, effectiveFrom, version, free },
      unitCostUsd: Rational.of(meter === 'usd' ? 1n : 10n),
      per: Rational.of(meter === 'usd' ? 1n : 1_000_000n),
    })),
  );
  const margin = { tenantId: null, integration: null, meter: null, effectiveFrom, version };
  world.rates = new RateBook(rates, [{ ...margin, marginPct: Rational.of(20n) }], version);
}

interface Expected {
  outcome: string;
  evidence: string;
  lines: Lines;
  cost: number;
}

/** How a hold ends that a job goes on with. */
interface ExpectedJob extends JobBegun {
  outcome: string;
}

type ExpectedEnd = Expected | ExpectedJob;

function expectedOf(scene: Scene, owed: Owed, outcome: string, evidence: string): ExpectedEnd {
  if (isJob(owed)) return { ...owed, outcome };
  const units = Object.values(owed).reduce<number>((sum, quantity) => sum + Number(quantity), 0);
  const cost = owed === scene.reported ? scene.cost : undefined;
  return { outcome, evidence, lines: owed, cost: cost ?? Math.round(units * MICROS_PER_UNIT) };
}

function isJob(owed: Owed | ExpectedEnd): owed is JobBegun {
  return 'job' in owed && typeof owed.job === 'object';
}

/** The one end of one hold: its frames, what it says, what it counts and what it costs. Null: nothing was measured. */
export async function expectEnd(world: ProxyWorld, expected: ExpectedEnd | null, nth = 0): Promise<void> {
  // The call may still be on its way to its hold.
  const id = () => world.reserved[nth]?.hold_id;
  const ends = () => world.ends().filter(({ data }) => data.hold_id === id());
  const jobs = () => jobsOf(world).filter(({ hold_id }) => hold_id === id());
  await world.until(() => ends().length + jobs().length > 0, 'the end of the hold, or its job');
  await world.until(() => world.openCalls() === 0, 'the end of all calls');
  const [usage, ...more] = world.usages().filter(({ data }) => data.id === id());
  expect(more).toEqual([]);
  if (expected === null || isJob(expected)) {
    expect(usage).toBeUndefined();
    const died = { outcome: 'upstream_died', cost_micros: 0 };
    expect(ends().map(({ data }) => data)).toMatchObject(expected === null ? [died] : []);
    const begun = jobs().map(({ outcome, counted }) => ({ outcome, job: counted && linesOf(counted) }));
    expect(begun).toEqual(
      expected === null ? [] : [{ ...expected, job: expected.job && texts(expected.job) }],
    );
    return;
  }
  const { outcome, evidence, lines, cost } = expected;
  expect(jobs()).toEqual([]);
  const measured = linesOf({ quantities: usage?.data.lines ?? [] });
  expect({ ...usage?.data, lines: measured }).toMatchObject({ outcome, evidence });
  expect(measured).toEqual(texts(lines));
  expect(usage?.data.cost_micros).toBe(cost);
  expect(ends().map(({ data }) => data)).toMatchObject([{ outcome, cost_micros: cost }]);
}

function jobsOf(world: ProxyWorld) {
  return world.spooled.flatMap((event) => (event.type === 'JobStarted.v1' ? [event.data] : []));
}

/** Lines of one meter, such as calls of several tools, are summed: their quantities are whole then. */
function linesOf({ quantities }: { quantities: readonly { meter: string; quantity: string }[] }): Lines {
  const sums: Record<string, string> = {};
  for (const { meter, quantity } of quantities)
    sums[meter] = sums[meter] === undefined ? quantity : String(Number(sums[meter]) + Number(quantity));
  return sums;
}

function texts(lines: Lines): Lines {
  return Object.fromEntries(Object.entries(lines).map(([meter, quantity]) => [meter, String(quantity)]));
}

/** Of an answer that nobody reads on: before its headers nothing is charged, then what has passed, then what was reported. */
function cutOff(outcome: string, { scene, come }: Standing): ExpectedEnd | null {
  if (come === BEFORE_HEADERS) return null;
  if (scene.atHead) return expectedOf(scene, scene.reported, outcome, 'header');
  const counted = scene.counted[come as 0 | 1 | 2];
  if (counted) return expectedOf(scene, counted, outcome, 'counted');
  return expectedOf(scene, scene.reported, outcome, scene.openEnded ? 'counted' : 'exact');
}

/** The disconnect matrix: each scene at each point, with the client gone, the provider dead and the gateway stopped. */
export function describeExitPoints(scenes: Scenes): void {
  const cells = Object.entries(scenes).flatMap(([name, scene]) =>
    POINTS.filter(([, come]) => !(come === 3 && scene.endsWithReport)).map(
      ([point, come]) => [name, point, scene, come] as const,
    ),
  );
  let world: ProxyWorld;
  beforeAll(async () => {
    world = new ProxyWorld();
    // Many calls stand before their headers at once.
    world.upstreamTimeoutMs = 30_000;
    await world.start();
    priceEverything(world);
  });
  beforeEach(() => {
    for (const seen of [world.seen, world.reserved, world.spooled]) seen.length = 0;
  });
  afterAll(() => world.close());

  describe('an answer whose client leaves is read to its end and charged as reported', () => {
    it.each(cells)('%s, %s', async (_name, _point, scene, come) => {
      const standing = await new Standing(world, scene, come).begun();
      standing.leave();
      const isReadOn = !scene.atHead || come === BEFORE_HEADERS;
      if (isReadOn) {
        await world.until(() => world.draining() > 0, 'the gateway sees that the client left');
        await standing.goOn();
      }
      const evidence = isReadOn ? (scene.whole ?? 'drained') : 'header';
      await expectEnd(world, expectedOf(scene, scene.reported, 'client_aborted', evidence));
    });
  });

  describe('an answer whose provider dies is charged what was reported, or what has passed', () => {
    it.each(cells)('%s, %s', async (_name, _point, scene, come) => {
      const standing = await new Standing(world, scene, come).begun();
      await standing.die();
      if (come === BEFORE_HEADERS) expect(await standing.got).toMatchObject({ status: 502, broken: false });
      else await standing.expectTorn();
      await expectEnd(world, cutOff('upstream_died', standing));
      expect(world.seen).toHaveLength(1);
    });
  });

  describe('answers in which the gateway stops are charged what was reported, or what has passed', () => {
    it.each(POINTS)('all of them, %s', async (_point, come) => {
      const standings: Standing[] = [];
      for (const scene of Object.values(scenes))
        if (!(come === 3 && scene.endsWithReport))
          standings.push(await new Standing(world, scene, come).begun());
      await world.stopProxy();
      for (const [nth, standing] of standings.entries()) {
        if (come === BEFORE_HEADERS) expect(await standing.got).toBeNull();
        else await standing.expectTorn();
        await expectEnd(world, cutOff('client_aborted', standing), nth);
      }
      await world.restart();
    });
  });
}
