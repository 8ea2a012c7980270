import type http from 'node:http';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { METERS } from '@vendo/events';
import { Rational } from '@vendo/money';
import { RateBook } from '@vendo/pricing';
import { PROVIDERS } from '../providers/registry.js';
import { type Got, type Sent, send } from './memory.proxy-client.js';
import { ProxyWorld } from './memory.proxy-world.js';

/** What is billed: quantities by meter, as the lines of an event say them. */
export type Lines = Readonly<Record<string, string | number>>;

/** The parts of an answer between which a call can end, and what is charged for what has come. */
export interface Scene {
  request: Sent;
  type: string;
  headers?: http.OutgoingHttpHeaders;
  /** The first part, the middle, the usage report, what follows it. Empty: this answer has no such part. */
  parts: readonly [string, string, string, string];
  /** Lower bounds after the headers, the first part and the middle. */
  counted: readonly [Lines, Lines, Lines];
  /** What the report says. */
  reported: Lines;
  /** Micros, where the provider names the cost; else every unit costs 12. */
  cost?: number;
  /** The usage report ends the answer for the client too. */
  endsWithReport?: true;
  /** The report is known with the head: nothing is counted, and nothing is read on for it. */
  atHead?: true;
  /** How the cost of the whole answer is known; without a client `exact` is `drained`. */
  whole?: 'estimated' | 'header';
  /** Another report may come behind it, so that only the end of the answer makes it exact. */
  openEnded?: true;
}

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
    while (this.received < Buffer.byteLength(sent))
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
    expect(got?.body.toString()).toBe(this.sent());
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

function expectedOf(scene: Scene, lines: Lines, outcome: string, evidence: string): Expected {
  const units = Object.values(lines).reduce<number>((sum, quantity) => sum + Number(quantity), 0);
  const cost = lines === scene.reported ? scene.cost : undefined;
  return { outcome, evidence, lines, cost: cost ?? Math.round(units * MICROS_PER_UNIT) };
}

/** The one end of one hold: its frames, what it says, what it counts and what it costs. Null: nothing was measured. */
export async function expectEnd(world: ProxyWorld, expected: Expected | null, nth = 0): Promise<void> {
  // The call may still be on its way to its hold.
  const id = () => world.reserved[nth]?.hold_id;
  const ends = () => world.ends().filter(({ data }) => data.hold_id === id());
  await world.until(() => ends().length > 0, 'the end of the hold');
  await world.until(() => world.openCalls() === 0, 'the end of all calls');
  const [usage, ...more] = world.usages().filter(({ data }) => data.id === id());
  expect(more).toEqual([]);
  if (expected === null) {
    expect(usage).toBeUndefined();
    expect(ends().map(({ data }) => data)).toMatchObject([{ outcome: 'upstream_died', cost_micros: 0 }]);
    return;
  }
  const { outcome, evidence, lines, cost } = expected;
  const measured = usage?.data.lines.map(({ meter, quantity }) => [meter, quantity]) ?? [];
  expect({ ...usage?.data, lines: Object.fromEntries(measured) }).toMatchObject({ outcome, evidence });
  expect(Object.fromEntries(measured)).toEqual(
    Object.fromEntries(Object.entries(lines).map(([meter, quantity]) => [meter, String(quantity)])),
  );
  expect(usage?.data.cost_micros).toBe(cost);
  expect(ends().map(({ data }) => data)).toMatchObject([{ outcome, cost_micros: cost }]);
}

/** Of an answer that nobody reads on: before its headers nothing is charged, then what has passed, then what was reported. */
function cutOff(outcome: string, { scene, come }: Standing): Expected | null {
  if (come === BEFORE_HEADERS) return null;
  if (scene.atHead) return expectedOf(scene, scene.reported, outcome, 'header');
  const counted = scene.counted[come as 0 | 1 | 2];
  if (counted) return expectedOf(scene, counted, outcome, 'counted');
  return expectedOf(scene, scene.reported, outcome, scene.openEnded ? 'counted' : 'exact');
}

/** The disconnect matrix: each scene at each point, with the client gone, the provider dead and the gateway stopped. */
export function describeExitPoints(scenes: Readonly<Record<string, Scene>>): void {
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
