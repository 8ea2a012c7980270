import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, it } from '@jest/globals';
import fc from 'fast-check';
import type { Reading, UsageMeter } from '../providers/provider.js';
import { BodyReader } from './body-reader.js';
import { JsonDigest } from './json-digest.js';

function digest(text: string, chunkBytes = 7, depth?: number): unknown {
  const reader = new JsonDigest(depth);
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length; at += chunkBytes) reader.feed(bytes.subarray(at, at + chunkBytes));
  const kept = reader.end();
  return kept && JSON.parse(kept.toString());
}

/** What a digest must leave of a value. */
function essence(value: unknown): unknown {
  if (typeof value === 'string') return Buffer.byteLength(JSON.stringify(value)) > 2_048 ? '' : value;
  if (Array.isArray(value))
    return value
      .filter(
        (item, index) =>
          index === 0 || typeof item === 'string' || (typeof item === 'object' && item !== null),
      )
      .map(essence);
  if (typeof value === 'object' && value !== null)
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, essence(item)]));
  return value;
}

it('keeps every object, key and short string, cut anywhere and however spaced', () =>
  fc.assert(
    fc.property(
      fc.jsonValue({ maxDepth: 5 }),
      fc.integer({ min: 1, max: 20 }),
      fc.constantFrom(undefined, 2),
      (value, chunkBytes, indent) => {
        const text = JSON.stringify({ value }, null, indent);
        expect(digest(text, chunkBytes)).toEqual(essence(JSON.parse(text)));
      },
    ),
    { numRuns: 500 },
  ));

it.each([
  ['backslashes before a quote', String.raw`{"a":"x\\","b":"\\\"","c":"\\\\\""}`],
  ['text that looks like structure', '{"a":"],{\\"usage\\":1","b":[{"c":"}"}]}'],
  ['letters beyond ASCII', '{"é":"日本🌍"}'],
])('reads %s at every cut', (_, text) => {
  for (let size = 1; size <= text.length; size += 1) expect(digest(text, size)).toEqual(JSON.parse(text));
});

it('empties long strings and thins out lists of numbers', () => {
  const image = 'A"\\'.repeat(1_000);
  const text = JSON.stringify({
    data: [{ embedding: [0.5, -1e-9, 3] }, { b64_json: image }],
    usage: { n: 7 },
  });
  expect(digest(text)).toEqual({ data: [{ embedding: [0.5] }, { b64_json: '' }], usage: { n: 7 } });
});

it('keeps of what is nested deeper than asked that it is there', () =>
  fc.assert(
    fc.property(
      fc.dictionary(fc.string(), fc.jsonValue()),
      fc.integer({ min: 1, max: 20 }),
      (value, size) => {
        const text = JSON.stringify(value);
        const shallow = Object.entries(JSON.parse(text) as object).map(([key, item]) => {
          const isNested = typeof item === 'object' && item !== null;
          return [key, isNested ? (Array.isArray(item) ? [] : {}) : essence(item)];
        });
        expect(digest(text, size, 1)).toEqual(Object.fromEntries(shallow));
      },
    ),
    { numRuns: 500 },
  ));

it('gives up on what is nested without end', () => {
  expect(digest('['.repeat(100_000))).toBeNull();
});

it('finds the usage behind 140 MB of embedding vectors, in small steps and little memory', () => {
  const vector = Buffer.from(
    `{"object":"embedding","embedding":[\n${'        -0.006929283,\n'.repeat(3_071)}0.1]},`,
  );
  const bodies: unknown[] = [];
  const meter = { onBody: (body: unknown) => void bodies.push(body) } as UsageMeter & { reading(): Reading };
  const reader = new BodyReader(meter);
  reader.feed(Buffer.from('{"data":['));
  // What waits for the garbage collector is not kept.
  setFlagsFromString('--expose-gc');
  const collectGarbage = runInNewContext('gc') as () => void;
  collectGarbage();
  const before = process.memoryUsage();
  for (let n = 0; n < 2_048; n += 1) reader.feed(vector);
  collectGarbage();
  const after = process.memoryUsage();
  reader.feed(Buffer.from('{}],"model":"text-embedding-3-large","usage":{"prompt_tokens":300000}}'));
  reader.end();
  expect(after.arrayBuffers - before.arrayBuffers).toBeLessThan(10_000_000);
  expect(bodies).toEqual([
    expect.objectContaining({ model: 'text-embedding-3-large', usage: { prompt_tokens: 300_000 } }),
  ]);
});
