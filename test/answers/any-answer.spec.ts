import { beforeAll, describe, expect, it } from '@jest/globals';
import { METERS, type Meter } from '@vendo/events';
import { Rational } from '@vendo/money';
import { type PriceContext, type Quantity, RateBook } from '@vendo/pricing';
import fc from 'fast-check';
import { PROVIDERS } from '../../apps/gateway/src/providers/registry.js';
import { recordingsFolder } from '../conformance/recordings-folder.js';
import { AMOUNTS, COUNTS, damaged, type JsonPath, pathsIn, USAGE } from './damage.js';
import { type Coming, type Reading, readThroughTap } from './read-through-tap.js';
import { readSamples, type Sample } from './sample.js';

/** For each provider and property; all of them together take some seconds. `ANSWER_RUNS` makes them more. */
const RUNS = Number(process.env.ANSWER_RUNS ?? 80);
const MILLION = Rational.of(1_000_000n);

/** Every meter has a price, so that whatever is measured costs something. */
const BOOK = new RateBook(
  PROVIDERS.flatMap(({ slug }) =>
    METERS.map((meter) => ({
      ...{ provider: slug, model: '*', meter, tier: 'standard', contextFrom: 0, free: false },
      ...{ unitCostUsd: Rational.ONE, per: MILLION, effectiveFrom: 0, version: 1 },
    })),
  ),
  [
    {
      ...{ tenantId: null, integration: null, meter: null },
      ...{ marginPct: Rational.of(20n), effectiveFrom: 0, version: 1 },
    },
  ],
  1,
);

const folder = recordingsFolder('FUZZ OF RECORDED ANSWERS');
const metering = PROVIDERS.filter(({ routes }) => routes.some((route) => route.class === 'metered'));
let samples: Sample[] = [];
/** What each of them says when it comes whole; and when its JSON is written anew, which may cost digits of a number. */
const truths = new Map<Sample, [whole: Reading, rewritten: Reading]>();
beforeAll(async () => {
  samples = await readSamples(folder);
  for (const sample of samples)
    truths.set(sample, [
      await readThroughTap(sample, sample.bytes),
      await readThroughTap(sample, damaged(sample, [], null)),
    ]);
});

const cuts = fc.array(fc.integer({ min: 1, max: 40 }), { maxLength: 80 });
const coding = fc.constantFrom('identity' as const, 'gzip' as const, 'br' as const);
const place = fc.nat({ max: 1_000_000 });

describe.each(metering.map(({ slug }) => slug))('an answer of %s', (slug) => {
  const own = (): Sample[] => samples.filter(({ provider }) => provider === slug);
  const anyOfThem = () => fc.constantFrom(...own());

  it('is there', () => expect(own().length).toBeGreaterThan(2));

  it('says the same however it is cut and compressed, with LF and with CRLF, and passes as it came', () =>
    check(fc.tuple(anyOfThem(), cuts, coding, fc.boolean()), async ([sample, sizes, encoding, isCrLf]) => {
      const bytes = sample.isEventStream ? withNewlines(sample.bytes, isCrLf ? '\r\n' : '\n') : sample.bytes;
      const { measured } = await read(sample, bytes, { cuts: sizes, coding: encoding });
      const truth = truthOf(sample);
      expect(linesOf(measured.reading.quantities)).toEqual(linesOf(truth.measured.reading.quantities));
      expect(measured.evidence).toBe(truth.measured.evidence);
    }));

  it('that breaks off is never more exact than it is, and what is counted of it never more than was reported', () =>
    check(fc.tuple(anyOfThem(), place, cuts), async ([sample, at, sizes]) => {
      const torn = sample.bytes.subarray(0, at % sample.bytes.length);
      const { measured } = await read(sample, torn, { cuts: sizes, ended: 'upstream_died' });
      expectNoMoreExact(measured, sample);
      const truth = truthOf(sample).measured;
      if (!sample.isRecorded || truth.evidence !== 'exact' || truth.reading.failed) return;
      for (const side of [INPUT, OUTPUT]) {
        const most = sumOf(truth.reading.quantities, side);
        // A provider that reports no token at all reports none that could be compared.
        if (most > 0) expect(sumOf(measured.reading.quantities, side)).toBeLessThanOrEqual(most);
      }
    }));

  it('with anything behind it is never more exact than it is', () =>
    check(fc.tuple(anyOfThem(), junk), async ([sample, behind]) => {
      const { measured } = await read(sample, Buffer.concat([sample.bytes, behind]));
      expectNoMoreExact(measured, sample);
    }));

  it('of which a field is missing or something else bills nothing negative', () =>
    check(fc.tuple(anyOfThem(), place, nonsense), async ([sample, at, value]) => {
      const paths = pathsIn(sample);
      if (paths.length > 0) await read(sample, damaged(sample, [pick(paths, at)], value));
    }));

  it('of which a count is no count is never more exact than it is', () =>
    check(fc.tuple(anyOfThem(), place, noCount), async ([sample, at, value]) => {
      const counts = pathsIn(sample).filter(({ path }) => {
        const name = String(path.at(-1));
        return COUNTS.has(name) || (AMOUNTS.has(name) && !(typeof value === 'number' && value > 0));
      });
      if (counts.length === 0) return;
      const { measured } = await read(sample, damaged(sample, [pick(counts, at)], value));
      expectNoMoreExact(measured, sample);
    }));

  it('of which no report is left is not exact', () =>
    check(fc.tuple(anyOfThem(), nonsense), async ([sample, value]) => {
      const reports = pathsIn(sample).filter(({ path }) => USAGE.has(String(path.at(-1))));
      if (reports.length === 0 || (typeof value === 'object' && value !== null)) return;
      const { measured } = await read(sample, damaged(sample, reports, value));
      expect(['estimated', 'header']).toContain(measured.evidence);
    }));
});

/** What may stand in the place of a field; undefined: it is missing. */
const nonsense = fc.constantFrom<unknown>(
  ...[undefined, null, true, '', 'x', '12', -5, -0.5, 1.5, 1e308, -1e308, 2 ** 53, 0],
  ...[[], {}, [[]], { a: {} }, ['usage'], 'NaN', '1e999', '-1', '\u{1f30d}'],
);
/** What is no count by any reading; a missing one may be a zero that was left out. */
const noCount = fc.constantFrom<unknown>('x', '', -5, 1.5, -1e308, 2 ** 60, [], {}, true, '12e3x');

const junk = fc.oneof(
  fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes)),
  fc.string({ maxLength: 100 }).map((text) => Buffer.from(text)),
  fc
    .constantFrom('data: {', 'data: []\n\n', ': x\n\n', '{}', ']', '\n\n\n', 'event: error\ndata: 1\n\n')
    .map((text) => Buffer.from(text)),
);

const INPUT: readonly Meter[] = [
  'input_tokens',
  'cache_read_tokens',
  'cache_write_tokens',
  'cache_write_1h_tokens',
  'audio_input_tokens',
  'image_input_tokens',
];
const OUTPUT: readonly Meter[] = ['output_tokens', 'reasoning_tokens', 'audio_output_tokens', 'image_tokens'];

function check<Drawn>(drawn: fc.Arbitrary<Drawn>, holds: (drawn: Drawn) => Promise<void>): Promise<void> {
  return fc.assert(fc.asyncProperty(drawn, holds), { numRuns: RUNS });
}

/** Reads it, and asserts of every reading that it can be billed, and that the answer has passed as it came. */
async function read(sample: Sample, bytes: Buffer, coming: Coming = {}): Promise<Reading> {
  const result = await readThroughTap(sample, bytes, coming);
  if (!sample.mayDrop) expect(result.released.equals(result.sent)).toBe(true);
  const { quantities, contextTokens, model } = result.measured.reading;
  expect(contextTokens).toBeGreaterThanOrEqual(0);
  const context = {
    ...{ tenantId: 't', provider: sample.provider, rateKeys: [model ?? 'm'], tier: 'standard' },
    ...{ contextTokens, at: 1, version: 1 },
  };
  for (const quantity of quantities) expect(quantity.quantity.toDecimal()).toMatch(/^\d+(\.\d+)?$/);
  expect(costOf(context, quantities)).toBeGreaterThanOrEqual(0);
  return result;
}

/** More than can be written is recorded unpriced, which the exits of the proxy have a test of. */
function costOf(context: PriceContext, quantities: readonly Quantity[]): number {
  try {
    return Number(BOOK.price(context, quantities).costMicros);
  } catch (thrown) {
    if (thrown instanceof RangeError && /do not fit a JSON integer/.test(thrown.message))
      return Number.POSITIVE_INFINITY;
    throw thrown;
  }
}

/** What says that it is exact says what the whole answer says. */
function expectNoMoreExact({ evidence, reading }: Reading['measured'], sample: Sample): void {
  if (evidence !== 'exact') return;
  const whole = truths.get(sample)?.map(({ measured }) => linesOf(measured.reading.quantities));
  expect(whole).toContainEqual(linesOf(reading.quantities));
  expect(truthOf(sample).measured.evidence).toBe('exact');
}

function truthOf(sample: Sample): Reading {
  const [truth] = truths.get(sample) ?? [];
  if (!truth) throw new Error(`${sample.name} was not read`);
  return truth;
}

/** Lines that are charged; those whose cost is in another one are only told. */
function linesOf(quantities: readonly Quantity[]): Record<string, string> {
  return Object.fromEntries(
    quantities
      .filter(({ included, quantity }) => !included && !quantity.isZero())
      .map(({ meter, model, quantity }) => [`${meter}@${model ?? ''}`, quantity.toString()]),
  );
}

function sumOf(quantities: readonly Quantity[], side: readonly Meter[]): number {
  return quantities
    .filter(({ meter, model }) => side.includes(meter) && model === undefined)
    .reduce((sum, { quantity }) => sum + Number(quantity.toDecimal()), 0);
}

function withNewlines(bytes: Buffer, newline: string): Buffer {
  return Buffer.from(bytes.toString('latin1').replace(/\r?\n/g, newline), 'latin1');
}

function pick(paths: readonly JsonPath[], at: number): JsonPath {
  const path = paths[at % paths.length];
  if (!path) throw new Error('there is nothing to damage');
  return path;
}
