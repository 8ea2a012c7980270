// Over 400 lines: what the streams of each route are made of is one list, which nearly every test here cuts in its own way.
import { describe, expect, it } from '@jest/globals';
import { createParser } from 'eventsource-parser';
import fc from 'fast-check';
import type { UsageMeter } from '../providers/provider.js';
import { readFormRequest, readRequest } from '../providers/read-answer.contract.js';
import { providerBySlug } from '../providers/registry.js';
import { EventSplitter } from './event-splitter.js';
import { KeptBytes } from './kept-bytes.js';
import { SseReader } from './sse-reader.js';

const CHAT = '{"id":"c1","model":"gpt-4o-mini"';
const word = fc.constantFrom('one two', 'a', '', '\\"usage\\":{}', 'data: [DONE]', 'é🌍', 'x\\n\\ny');

/** What streams are made of, by the route that they answer: events that can wait, and such as cannot. */
const STREAMS: Record<string, fc.Arbitrary<string>> = {
  'openai /v1/chat/completions': fc.oneof(
    word.map((text) => `data: ${CHAT},"choices":[{"delta":{"content":"${text}"}}],"usage":null}\n\n`),
    word.map((text) => `data: ${CHAT},"choices":[{"delta":{"content":"${text}"}}]}\r\n\r\n`),
    fc.constantFrom(
      `data: ${CHAT},"choices":[],"usage":{"prompt_tokens":5,"completion_tokens":7}}\n\n`,
      `data: {"error":{"message":"overloaded"}}\n\n`,
      `: comment\n\n`,
      `data: {\ndata: "id":"c2"}\n\n`,
    ),
  ),
  'anthropic /v1/messages': fc.oneof(
    word.map(
      (text) => `event: content_block_delta\ndata: {"delta":{"type":"text_delta","text":"${text}"}}\n\n`,
    ),
    fc.constantFrom(
      'event: ping\ndata: {"type":"ping"}\n\n',
      'event: message_start\ndata: {"message":{"id":"m","usage":{"input_tokens":5,"output_tokens":1}}}\n\n',
      'event: content_block_delta\ndata: {}\nevent: message_delta\ndata: {"usage":{"output_tokens":3}}\n\n',
      'event: message_delta\ndata: {"delta":{},"usage":{"output_tokens":7}}\n\n',
      'event: error\ndata: {"type":"error"}\n\n',
    ),
  ),
  'openai /v1/responses': fc.oneof(
    word.map((text) => `event: response.output_text.delta\ndata: {"delta":"${text}"}\n\n`),
    fc.constantFrom(
      'event: response.audio.delta\ndata: {"delta":"aaaa bbbb cccc"}\n\n',
      'event: response.custom.delta\ndata: {"delta":"one"}\n\n',
      'event: response.created\ndata: {"response":{"id":"r1"}}\n\n',
      'event: error\ndata: {"type":"error"}\n\n',
    ),
  ),
  'openai /v1/audio/speech': fc.oneof(
    fc.constantFrom('aGk', 'x'.repeat(500)).map((audio) => `data: {"type":"delta","audio":"${audio}"}\n\n`),
    fc.constantFrom(
      ': ping\r\r\n',
      'data: {"type":"done","usage":{"input_tokens":5,"output_tokens":7}}\n\n',
      'data: {"type":"error"}\n\n',
      'event: error\ndata: {"x":1}\n\n',
    ),
  ),
  'openai /v1/audio/transcriptions': fc.oneof(
    word.map((text) => `data: {"type":"transcript.text.delta","delta":"${text}"}\r\n\r\n`),
    fc.constant('data: {"error":{}}\n\n'),
  ),
  'gemini /v1beta/models/m:streamGenerateContent?alt=sse': fc
    .tuple(
      word,
      fc.constantFrom(
        '"usageMetadata":{"promptTokenCount":5,"candidatesTokenCount":7,"totalTokenCount":12}',
        '"usageMetadata":{"promptTokenCount":5,"candidatesTokenCount":9,"totalTokenCount":14}',
        '"usageMetadata":"none"',
        '"error":{"code":503}',
        '"x":',
        '"x":1',
      ),
      fc.constantFrom('', '"finishReason":"STOP",', '"groundingMetadata":{"webSearchQueries":["q w"]},'),
      fc.constantFrom('\r\n\r\n', '\n\n'),
    )
    .map(
      ([text, rest, more, end]) =>
        `data: {"candidates": [{${more}"content":{"parts":[{"text":"${text}"}]}}],${rest}}${end}`,
    ),
  'gemini /v1beta/interactions': fc.oneof(
    word.map(
      (text) =>
        `event: step.delta\ndata: {"event_type":"step.delta","delta":{"type":"text","text":"${text}"}}\n\n`,
    ),
    fc.constantFrom(
      'event: step.delta\ndata: {"event_type":"step.delta","delta":{"type":"x_result","text":"a b c"}}\n\n',
      'event: content.delta\ndata: {"event_type":"content.delta","delta":{"type":"text","text":"a b c"}}\n\n',
      'data: {"event_type":"interaction.complete","interaction":{"usage":{"total_output_tokens":5}}}\n\n',
      'event: step.delta\ndata: {"event_type":"step.delta","metadata":{"total_usage":{"total_input_tokens":5}}}\n\n',
    ),
  ),
  'openrouter /api/v1/chat/completions': fc.oneof(
    word.map((text) => `data: ${CHAT},"choices":[{"delta":{"content":"${text}"}}]}\n\n`),
    fc.constantFrom(
      ': OPENROUTER PROCESSING\n\n',
      `data: ${CHAT},"choices":[{}],"error":{"code":502},"usage":null}\n\n`,
      `data: ${CHAT},"choices":[],"usage":{"prompt_tokens":5,"completion_tokens":7,"cost":0.1}}\n\n`,
    ),
  ),
};

const BODY = { model: 'm', max_tokens: 9, stream: true, messages: [], input: 'x' };
const SPEECH = { ...BODY, model: 'gpt-4o-mini-tts', stream_format: 'sse' };

async function meterOf(route: string): Promise<UsageMeter> {
  const [slug = '', target = ''] = route.split(' ');
  const provider = providerBySlug(slug);
  if (!provider) throw new Error(slug);
  const request = target.endsWith('/transcriptions')
    ? await readFormRequest(provider, target, { model: 'gpt-4o-transcribe', stream: 'true' })
    : readRequest(provider, target, target.endsWith('/speech') ? SPEECH : BODY);
  return request.meter();
}

/** What is told of a stream that breaks off in `rest`, and what goes on to the client where events may be taken out. */
function read(meter: UsageMeter, chunks: readonly Buffer[], mayDrop = true) {
  const reader = new SseReader(meter);
  const kept = mayDrop ? new KeptBytes() : null;
  for (const chunk of chunks) if (reader.feed(chunk, kept)) kept?.add(chunk);
  reader.end(kept);
  reader.end(kept);
  const bytes = kept && Buffer.concat(kept.take()).toString('latin1');
  return { reading: meter.reading(), counted: meter.counted(), kept: bytes };
}

/** What is told where a parser of others reads every event of the whole. */
function readByParser(meter: UsageMeter, whole: Buffer, mayDrop: boolean) {
  let drops = false;
  const parser = createParser({
    onEvent: ({ event = '', data }) => {
      drops = meter.onEvent({ event, data }).drop;
    },
  });
  const isDropped = (text: string): boolean => {
    drops = false;
    parser.feed(text);
    return drops;
  };
  const splitter = new EventSplitter();
  const { bytes, ends } = splitter.push(whole);
  const rest = splitter.rest();
  const kept = new KeptBytes();
  ends.forEach((end, index) => {
    const start = ends[index - 1] ?? 0;
    if (!isDropped(bytes.toString('utf8', start, end))) kept.add(bytes, start, end);
  });
  if (rest.length > 0 && !isDropped(`${rest.toString('utf8')}\n\n`)) kept.add(rest);
  meter.output?.takeEvents(whole);
  return {
    reading: meter.reading(),
    counted: meter.counted(),
    kept: mayDrop ? Buffer.concat(kept.take()).toString('latin1') : null,
  };
}

function cut(bytes: Buffer, sizes: readonly number[]): Buffer[] {
  const chunks: Buffer[] = [];
  let at = 0;
  for (const size of sizes) {
    chunks.push(bytes.subarray(at, at + size));
    at += size;
  }
  return [...chunks, bytes.subarray(at)].filter(({ length }) => length > 0);
}

/** Between events, and before the first one: lines of nothing, ended in any way. */
const blank = fc.constantFrom('\n', '\r\n', '\r\r\n', ': ping\r\r\n');
/** How the lines of an event end: nearly always as they do. */
const written = fc.oneof(
  { weight: 8, arbitrary: fc.constant((event: string) => event) },
  fc.constantFrom(
    (event: string) => event.replaceAll(/\r?\n/g, '\r\n'),
    (event: string) => event.replaceAll(/\r?\n/g, '\r'),
    (event: string) => event.replace(/\r?\n/, '\r\n'),
    (event: string) => event.replace(/\r?\n/, '\r'),
    (event: string) => event.replace(/(\r?\n)/, '$1id: 7$1'),
  ),
);
/** So many bytes a piece; large ones are looked at in steps. */
const sizes = fc
  .tuple(
    fc.array(fc.integer({ min: 1, max: 400 }), { maxLength: 20 }),
    fc.array(fc.integer({ min: 4_096, max: 100_000 }), { maxLength: 3 }),
    fc.boolean(),
  )
  .map(([small, large, isLargeFirst]) => (isLargeFirst ? [...large, ...small] : [...small, ...large]));
/** Short streams, and such as are more than what waits. */
const times = fc.oneof({ weight: 4, arbitrary: fc.constant(1) }, fc.constantFrom(10, 100));

it.each(Object.keys(STREAMS))('waiting changes nothing for %s, cut anywhere', async (route) => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(
        fc.oneof(
          {
            weight: 8,
            arbitrary: fc
              .tuple(STREAMS[route] ?? fc.constant(''), written)
              .map(([event, write]) => write(event)),
          },
          blank,
        ),
        { maxLength: 30 },
      ),
      times,
      sizes,
      fc.integer({ min: 0, max: 40 }),
      fc.boolean(),
      fc.constantFrom('', '\ufeff'),
      async (events, repeats, cuts, missing, mayDrop, mark) => {
        const text = mark + events.join('').repeat(repeats);
        const whole = Buffer.from(text);
        const bytes = whole.subarray(0, Math.max(0, whole.length - missing));
        expect(read(await meterOf(route), cut(bytes, cuts), mayDrop)).toEqual(
          readByParser(await meterOf(route), bytes, mayDrop),
        );
        // They are on their way to the client meanwhile.
        expect(whole.equals(Buffer.from(text))).toBe(true);
      },
    ),
    { numRuns: 300 },
  );
});

it('of events that are read together, one that cannot be read does not take the place of the one before it', async () => {
  const said = (tokens: number, end: string) =>
    `data: {"candidates":[],"usageMetadata":{"promptTokenCount":5,"candidatesTokenCount":${tokens}}}${end}`;
  const bytes = Buffer.from(
    [said(7, '\r\n\r\n'), said(9, '\r\r'), 'data: {"candidates":[],"x":}\r\n\r\n'].join(''),
  );
  const route = 'gemini /v1beta/models/m:streamGenerateContent?alt=sse';
  const { counted } = read(await meterOf(route), [bytes], false);
  expect(counted.quantities.at(-1)?.quantity.toDecimal()).toBe('9');
  expect({ counted }).toMatchObject({ counted: readByParser(await meterOf(route), bytes, false).counted });
});

it.each(['\n', '\r\n', ': ping\r\r\n', 'event: message_start\rdata: {}\r\r\n'])(
  'goes on behind %j in a packet of its own',
  async (first) => {
    const event = 'event: message_start\ndata: {"message":{"id":"m","usage":{"input_tokens":5}}}\n\n';
    for (const mayDrop of [true, false]) {
      const meter = await meterOf('anthropic /v1/messages');
      let looks = 0;
      const onEvent = meter.onEvent.bind(meter);
      meter.onEvent = (each) => {
        looks += 1;
        // A reader that does not go on would never come back.
        if (looks > 5) throw new Error('read again and again');
        return onEvent(each);
      };
      const { kept } = read(meter, [Buffer.from(first), Buffer.from(event)], mayDrop);
      expect(kept).toBe(mayDrop ? first + event : null);
      expect(looks).toBeLessThan(4);
    }
  },
);

it('a chat of which most can wait is told as one that is read event by event', async () => {
  const events = Array.from(
    { length: 2_000 },
    (_, index) => `data: ${CHAT},"choices":[{"delta":{"content":" word${index}"}}],"usage":null}\n\n`,
  );
  const bytes = Buffer.from(events.join(''));
  const meter = await meterOf('openai /v1/chat/completions');
  let looks = 0;
  const onEvent = meter.onEvent.bind(meter);
  meter.onEvent = (event) => {
    looks += 1;
    return onEvent(event);
  };
  const { counted, kept } = read(meter, cut(bytes, [1_400, 1_400, 1_400]));
  // The first one, and those of which a cut may have taken the `null` behind `usage`.
  expect(looks).toBeLessThan(4);
  expect(kept).toBe(bytes.toString('latin1'));
  expect(counted.quantities.at(-1)?.quantity.toDecimal()).toBe('4000');
});

it.each([true, false])(
  'an event with a sign that comes in pieces is read when it is whole, though what waits is counted meanwhile; taking out: %s',
  async (mayDrop) => {
    const deltas = Array.from(
      { length: 640 },
      (_, index) => `data: ${CHAT},"choices":[{"delta":{"content":" word${index}"}}],"usage":null}\n\n`,
    );
    for (const [more, size] of [
      [5_000, 100],
      [5_000, 1_400],
      [90_000, 1_400],
      [90_000, 20_000],
    ] as const) {
      const usage = `data: ${CHAT},"choices":[],"usage":{"prompt_tokens":5,"completion_tokens":7},"x":"${'y'.repeat(more)}"}\n\n`;
      const bytes = Buffer.from([...deltas, usage, 'data: [DONE]\n\n'].join(''));
      const cuts = Array.from({ length: Math.ceil(bytes.length / size) }, () => size);
      expect(read(await meterOf('openai /v1/chat/completions'), cut(bytes, cuts), mayDrop)).toEqual(
        readByParser(await meterOf('openai /v1/chat/completions'), bytes, mayDrop),
      );
    }
  },
);

/** Of sound, more than one step at either side of what counts. */
const SOUND = `data: {"type":"delta","audio":"${'x'.repeat(2_000)}"}\n\n`.repeat(20);

describe('an event that counts between many of sound, which are looked at where they lie', () => {
  const route = 'openai /v1/audio/speech';
  const expectRead = async (text: string, cuts: readonly number[]) => {
    const bytes = Buffer.from(text);
    expect(read(await meterOf(route), cut(bytes, cuts), false)).toEqual(
      readByParser(await meterOf(route), bytes, false),
    );
  };

  const done = 'data: {"type":"done","usage":{"input_tokens":6,"output_tokens":9}}\n\n';

  it.each([
    ['usage', 'data: {"type":"done","usage":{"input_tokens":5,"output_tokens":7}}\n\n'],
    ['a name', 'event: error\ndata: {"x":1}\n\n'],
    ['a kind, with other line ends', 'data: {"type":"error"}\r\n\r\n'],
    ['usage, large', `data: {"usage":{"input_tokens":5},"x":"${'y'.repeat(50_000)}"}\n\n`],
  ])('%s, wherever it is cut', async (_, event) => {
    const whole = SOUND + event + SOUND + done + SOUND;
    for (let missing = 0; missing < Math.min(event.length, 80); missing += 1)
      await expectRead(whole, [SOUND.length + event.length - missing]);
    for (let begun = 0; begun < 80; begun += 1) await expectRead(whole, [SOUND.length + begun]);
    await expectRead(event + SOUND, []);
    await expectRead(SOUND + event, [1, 2, 3]);
    await expectRead(`data: {"error":{}}\n\n${SOUND}${event}`, [30, SOUND.length]);
    await expectRead(SOUND.slice(0, -1_000), [100, 50_000]);
  });

  it.each([':error\n', ' error"\n'])('a sign that is none may be the first of a chunk: %j', async (first) => {
    await expectRead(first + done + SOUND, []);
    await expectRead(SOUND + first + done + SOUND, [SOUND.length]);
  });

  it('what ends with the first bytes of a chunk is read once', async () => {
    const meter = await meterOf(route);
    const looks: string[] = [];
    const onEvent = meter.onEvent.bind(meter);
    meter.onEvent = (event) => {
      looks.push(event.data);
      return onEvent(event);
    };
    const event = '{"usage":{"input_tokens":5}}';
    read(meter, [Buffer.from(': x'), Buffer.from(`\n\ndata:${event}\n\n${SOUND}`)], false);
    expect(looks).toEqual([event]);
  });

  it('what one large event needed is given back behind it', async () => {
    const reader = new SseReader(await meterOf(route));
    const { backlog } = reader as unknown as { backlog: { bytes: Buffer } };
    const large = Buffer.from(
      `data: {"type":"delta","audio":"${'x'.repeat(1_000_000)}"}\n\n${SOUND}${SOUND}`,
    );
    for (const chunk of cut(large, Array(20).fill(60_000))) reader.feed(chunk);
    expect(backlog.bytes.length).toBeLessThan(100_000);
  });

  it('a chunk of any size is looked at a few times at most', async () => {
    const lines = Buffer.from(`: x\n\n${'data: x\n'.repeat(200_000)}data: {"type":"error"}\n\n`);
    const meter = await meterOf(route);
    const searched = searchedBytes(() => read(meter, [lines], false));
    expect(searched).toBeLessThan(20 * lines.length);
  });
});

it('where each event reports all so far, the newest is read, though nothing is counted', async () => {
  const said = (tokens: number) =>
    `data: {"candidates":[],"usageMetadata":{"promptTokenCount":5,"candidatesTokenCount":${tokens}}}\r\n\r\n`;
  const meter = await meterOf('gemini /v1beta/models/m:streamGenerateContent?alt=sse');
  const reader = new SseReader(Object.assign(Object.create(meter), { output: undefined }));
  reader.feed(Buffer.from(said(7).repeat(1_000) + said(9)));
  reader.end();
  const reading = meter.reading();
  expect(reading.quantities.at(-1)?.quantity.toDecimal()).toBe('9');
});

const USAGE_EVENTS: Record<string, readonly string[]> = {
  'openai /v1/chat/completions': [
    `data: ${CHAT},"choices":[{"delta":{"content":"one"}}]}`,
    `data: ${CHAT},"choices":[],"usage":{"prompt_tokens":5,"completion_tokens":7}}`,
    'data: [DONE]',
  ],
  'openai /v1/responses': [
    'event: response.output_text.delta\ndata: {"delta":"one"}',
    'event: response.completed\ndata: {"response":{"id":"r","usage":{"input_tokens":5,"output_tokens":7}}}',
  ],
  'anthropic /v1/messages': [
    'event: message_start\ndata: {"message":{"id":"m","usage":{"input_tokens":5,"output_tokens":1}}}',
    'event: message_delta\ndata: {"delta":{},"usage":{"output_tokens":7}}',
    'event: message_stop\ndata: {}',
  ],
};

it.each(
  Object.entries(USAGE_EVENTS).flatMap(([route, events]) =>
    ['\n', '\r\n', '\r'].flatMap((lineEnd) =>
      [true, false].flatMap((mayDrop) =>
        [1, 7, 1_000].map((size) => ({ route, events, lineEnd, mayDrop, size })),
      ),
    ),
  ),
)(
  '$route, lines ending with $lineEnd, in pieces of $size: read before the last of it goes on, taking out: $mayDrop',
  async ({ route, events, lineEnd, mayDrop, size }) => {
    const meter = await meterOf(route);
    const reader = new SseReader(meter);
    const kept = mayDrop ? new KeptBytes() : null;
    for (const event of events) {
      const bytes = Buffer.from(`${event}\n\n`.replaceAll('\n', lineEnd));
      for (const piece of cut(
        bytes,
        Array.from({ length: bytes.length / size }, () => size),
      )) {
        expect(reader.terminal).toBe(false);
        reader.feed(piece, kept);
      }
    }
    expect(reader.terminal).toBe(true);
    expect(meter.reading().state).toBe('final');
  },
);

it.each([true, false])('the name of an error that is cut off is read, taking out: %s', async (mayDrop) => {
  const bytes = Buffer.from('data: {"x":1}\nevent: error');
  const { reading } = read(await meterOf('anthropic /v1/messages'), [bytes], mayDrop);
  expect(reading.failed).toBe(true);
});

it('an event without its blank line is read once, though the end comes twice', async () => {
  const meter = await meterOf('anthropic /v1/messages');
  const events: string[] = [];
  const onEvent = meter.onEvent.bind(meter);
  meter.onEvent = (each) => {
    events.push(each.event);
    return onEvent(each);
  };
  read(meter, [
    Buffer.from('event: message_start\ndata: {"message":{"id":"m","usage":{"input_tokens":5}}}\n'),
  ]);
  expect(events).toEqual(['message_start']);
});

/** How many bytes are looked through by what Node searches with, while something is done. */
function searchedBytes(act: () => void): number {
  let bytes = 0;
  const { indexOf, lastIndexOf, includes } = Buffer.prototype;
  Buffer.prototype.indexOf = function (this: Buffer, ...[wanted, from]: [number, number?]) {
    const place = indexOf.call(this, wanted, from);
    bytes += (place < 0 ? this.length : place) - (from ?? 0);
    return place;
  } as Buffer['indexOf'];
  Buffer.prototype.lastIndexOf = function (this: Buffer, ...[wanted, from]: [number, number?]) {
    const place = lastIndexOf.call(this, wanted, from);
    bytes += (from ?? this.length) - place;
    return place;
  } as Buffer['lastIndexOf'];
  Buffer.prototype.includes = function (this: Buffer, ...[wanted]: [number]) {
    bytes += this.length;
    return includes.call(this, wanted);
  } as Buffer['includes'];
  try {
    act();
  } finally {
    Object.assign(Buffer.prototype, { indexOf, lastIndexOf, includes });
  }
  return bytes;
}

it.each([
  ['with a sign', 'openai /v1/responses', 'event: response.created\ndata: {"response":{"id":"', '"}}\n\n'],
  ['of output', 'openai /v1/responses', 'event: response.output_text.delta\ndata: {"delta":"', '"}\n\n'],
  ['of sound', 'openai /v1/audio/speech', 'data: {"type":"delta","audio":"', '"}\n\n'],
])(
  'a large event %s that comes in small pieces is not searched anew for each of them',
  async (_, route, begin, end) => {
    const pieces = Array.from({ length: 4_096 }, () => Buffer.alloc(1_024, 'a'));
    const chunks = [Buffer.from(begin), ...pieces, Buffer.from(end)];
    for (const mayDrop of [true, false]) {
      const meter = await meterOf(route);
      const searched = searchedBytes(() => read(meter, chunks, mayDrop));
      // From its beginning each time, or through all of the room that is not used yet, it would be thousands of times.
      expect(searched).toBeLessThan(100 * 4_096 * 1_024);
    }
  },
);
