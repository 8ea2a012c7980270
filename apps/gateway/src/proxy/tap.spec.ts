import { brotliCompressSync, deflateRawSync, deflateSync, gzipSync, zstdCompressSync } from 'node:zlib';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import type { Reading, SseEvent, UsageMeter } from '../providers/provider.js';
import { Signs } from '../providers/signs.js';
import { EventSplitter } from './event-splitter.js';
import { type Answer, openTap } from './tap.js';

const SIGNS = new Signs(['counts', '[DONE]'].map((text) => ({ text })));

/** Ends at `[DONE]`, drops what says `drop`, and remembers what it gets. */
class SpyMeter implements UsageMeter {
  readonly signs = SIGNS;
  readonly events: SseEvent[] = [];
  body: unknown;

  onEvent(event: SseEvent) {
    this.events.push({ event: event.event, data: event.data });
    return { terminal: event.data === '[DONE]', drop: event.data.includes('drop') };
  }

  onBody(json: unknown): void {
    this.body = json;
  }

  onTornBody(text: string): void {
    this.body = text;
  }

  reading(): Reading {
    throw new Error('not asked here');
  }

  counted(): Reading {
    throw new Error('not asked here');
  }
}

/** Sends chunks through a tap as the relay does; answers what happened, in order. */
async function run(answer: Partial<Answer>, chunks: readonly Buffer[]) {
  const meter = new SpyMeter();
  const steps: (string | Buffer)[] = [];
  let free: (() => void) | null = null;
  let isBusy = false;
  const tap = openTap(
    {
      contentType: 'text/event-stream',
      contentEncoding: undefined,
      contentLength: null,
      mayDrop: false,
      ...answer,
    },
    meter,
    {
      release: (bytes) => void steps.push(bytes),
      terminal: () => void steps.push('terminal'),
      busy: (busy) => {
        isBusy = busy;
        if (!busy) free?.();
      },
    },
  );
  for (const chunk of chunks) {
    tap.push(chunk);
    if (isBusy)
      await new Promise<void>((resolve) => {
        free = resolve;
      });
  }
  await new Promise<void>((resolve) => tap.finish(resolve));
  const released = Buffer.concat(steps.filter((step) => typeof step !== 'string'));
  return { meter, steps, released };
}

function cutAt(bytes: Buffer, sizes: readonly number[]): Buffer[] {
  const chunks: Buffer[] = [];
  let at = 0;
  for (const size of sizes) {
    if (at >= bytes.length) break;
    chunks.push(bytes.subarray(at, at + size));
    at += size;
  }
  if (at < bytes.length) chunks.push(bytes.subarray(at));
  return chunks;
}

const EVENTS = ['counts', 'skip', 'counts 🌍', 'skip 🌍', 'drop (counts)', 'counts\nlines', 'skip', '[DONE]'];
const READ = EVENTS.filter((data) => !data.startsWith('skip'));
/** What counts of what was read: where lines end with CR alone, other events may be read with it. */
const readBy = ({ events }: SpyMeter) =>
  events.map(({ data }) => data).filter((data) => !data.startsWith('skip'));
const sizes = fc.array(fc.integer({ min: 1, max: 9 }), { maxLength: 60 });
const ending = fc.constantFrom('\n', '\r\n', '\r');

function streamOf(end: string, { bom = false, lastBlank = true, without = '' } = {}): Buffer {
  const events = EVENTS.filter((data) => data !== without).map(
    (data) =>
      `: comment${end}event: x${end}${data
        .split('\n')
        .map((line) => `data: ${line}${end}`)
        .join('')}${end}`,
  );
  const text = `${bom ? '\uFEFF' : ''}${events.join('')}`;
  return Buffer.from(lastBlank ? text : text.slice(0, -end.length));
}

it('takes nothing of a line end out with the event behind it, whose first byte came before', async () => {
  const chunks = ['data: a\n\r', '\ndata: counts drop\n\n'].map((text) => Buffer.from(text));
  const { released } = await run({ mayDrop: true }, chunks);
  expect(released.toString()).toBe('data: a\n\r\n');
});

describe('a stream, cut anywhere, with any line ending', () => {
  it('is released byte for byte and read event for event', () =>
    fc.assert(
      fc.asyncProperty(sizes, ending, fc.boolean(), fc.boolean(), async (cuts, end, bom, lastBlank) => {
        const bytes = streamOf(end, { bom, lastBlank });
        const { meter, released } = await run({}, cutAt(bytes, cuts));
        expect(released).toEqual(bytes);
        expect(readBy(meter)).toEqual(READ);
      }),
      { numRuns: 300 },
    ));

  it('loses exactly the bytes of an event that is to be dropped', () =>
    fc.assert(
      fc.asyncProperty(sizes, ending, fc.boolean(), async (cuts, end, lastBlank) => {
        const { meter, released } = await run({ mayDrop: true }, cutAt(streamOf(end, { lastBlank }), cuts));
        expect(released.toString()).toBe(streamOf(end, { lastBlank, without: 'drop (counts)' }).toString());
        expect(readBy(meter)).toEqual(READ);
      }),
      { numRuns: 300 },
    ));
});

describe('the terminal chunk', () => {
  it.each([
    ['of a stream', {}, ['data: a\n\n', 'data: [DONE]\n\n']],
    ['of a stream with events taken out', { mayDrop: true }, ['data: a\n\n', 'data: [DONE]\n\n']],
    ['of a stream that says its length', { contentLength: 18 }, ['data: a\n\n', 'data: b\n\n']],
    ['of a body that says its length', { contentType: 'application/json', contentLength: 2 }, ['{', '}']],
  ])('%s is settled before it is released', async (_, answer, texts) => {
    const chunks = texts.map((text) => Buffer.from(text));
    const { steps } = await run(answer, chunks);
    expect(steps).toEqual([chunks[0], 'terminal', chunks[1]]);
  });
});

describe('a compressed answer', () => {
  const codings = [
    ['gzip', gzipSync],
    ['deflate', deflateSync],
    ['deflate', deflateRawSync],
    ['br', brotliCompressSync],
    ['zstd', zstdCompressSync],
  ] as const;

  it.each(codings)(
    '%s: a stream passes as it came, is read, and ends before its last chunk',
    async (name, pack) => {
      const bytes = pack(streamOf('\n'));
      const { meter, released, steps } = await run(
        { contentEncoding: name, contentLength: bytes.length },
        cutAt(bytes, [5, 7, 11]),
      );
      expect(released).toEqual(bytes);
      expect(readBy(meter)).toEqual(READ);
      expect(steps.at(-2)).toBe('terminal');
    },
  );

  it.each(codings)('%s: a body passes as it came and is read', async (name, pack) => {
    const bytes = pack('{"a":1}');
    const { meter, released } = await run(
      { contentType: 'application/json', contentEncoding: name },
      cutAt(bytes, [3]),
    );
    expect(released).toEqual(bytes);
    expect(meter.body).toEqual({ a: 1 });
  });

  it('that is damaged passes as it came', async () => {
    const bytes = gzipSync(streamOf('\n'));
    bytes.fill(7, 12);
    const { released } = await run({ contentEncoding: 'gzip' }, cutAt(bytes, [11, 4, 4, 4]));
    expect(released).toEqual(bytes);
  });

  it('in a coding that cannot be read passes as it came', async () => {
    const bytes = Buffer.from('???');
    expect((await run({ contentEncoding: 'compress' }, [bytes])).released).toEqual(bytes);
  });
});

it('a splitter gives back every byte, cut anywhere', () =>
  fc.assert(
    fc.property(fc.string({ unit: fc.constantFrom('a', '\n', '\r', ':') }), sizes, (text, cuts) => {
      const splitter = new EventSplitter();
      const pieces = cutAt(Buffer.from(text), cuts).map((chunk) => splitter.push(chunk));
      for (const { bytes, ends } of pieces) expect(ends.at(-1) ?? 0).toBe(bytes.length);
      expect(Buffer.concat([...pieces.map(({ bytes }) => bytes), splitter.rest()]).toString()).toBe(text);
    }),
  ));
