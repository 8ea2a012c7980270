import type http from 'node:http';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { chunk, DONE, MESSAGE, sse } from './memory.proxy-answers.js';
import { CHAT, type Got, type Sent, send } from './memory.proxy-client.js';
import { ProxyWorld } from './memory.proxy-world.js';

/** The parts of an answer between which a call can end, and what is charged for what has come. */
interface Scene {
  request: Sent;
  type: string;
  /** The first part, the middle, the usage report, what follows it. Empty: this answer has no such part. */
  parts: readonly [string, string, string, string];
  /** Lower bounds after the headers, the first part and the middle: [input, output] tokens. */
  counted: readonly [[number, number], [number, number], [number, number]];
  /** What the report says. */
  reported: [number, number];
  /** The usage report ends the answer for the client too. */
  endsWithReport?: true;
}

const PROMPT = 'Tell me (all) of it';
const SAY = { ...CHAT, messages: [{ role: 'user', content: PROMPT }] };
const delta = (content: string): string => chunk({ choices: [{ index: 0, delta: { content } }] });
const say = (text: string): string =>
  sse('content_block_delta', { type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text } });
const part = (text: string): string =>
  sse('response.output_text.delta', { type: 'response.output_text.delta', delta: text });
const USAGE = { input_tokens: 70, output_tokens: 30 };

/** The prompt is `Tell`, `me`, `(all`, `)`, `of`, `it`. */
const SCENES: Record<string, Scene> = {
  'a streamed chat': {
    request: { body: JSON.stringify({ ...SAY, stream: true, stream_options: { include_usage: true } }) },
    type: 'text/event-stream',
    parts: [
      delta('One'),
      delta(' two three') + delta(' four'),
      chunk({ choices: [], usage: { prompt_tokens: 70, completion_tokens: 30 } }),
      DONE,
    ],
    counted: [
      [6, 0],
      [6, 1],
      [6, 4],
    ],
    reported: [70, 30],
  },
  'a streamed response': {
    request: {
      path: '/proxy/openai/v1/responses',
      body: JSON.stringify({ model: 'gpt-4o-mini', stream: true, input: PROMPT }),
    },
    type: 'text/event-stream',
    parts: [
      sse('response.created', { response: { id: 'resp_1', model: 'gpt-4o-mini' } }),
      part('One') + part(' two three') + part('!'),
      sse('response.completed', { response: { id: 'resp_1', model: 'gpt-4o-mini', usage: USAGE } }),
      '',
    ],
    counted: [
      [6, 0],
      [6, 0],
      [6, 4],
    ],
    reported: [70, 30],
    endsWithReport: true,
  },
  'a streamed message': {
    request: {
      ...MESSAGE,
      body: JSON.stringify({ ...JSON.parse(MESSAGE.body), messages: SAY.messages }),
    },
    type: 'text/event-stream',
    parts: [
      sse('message_start', {
        type: 'message_start',
        message: { id: 'msg_1', model: 'claude-sonnet-4-5', usage: { input_tokens: 70, output_tokens: 1 } },
      }),
      say('One two') + say(' three.'),
      sse('message_delta', { type: 'message_delta', delta: {}, usage: { output_tokens: 30 } }),
      sse('message_stop', { type: 'message_stop' }),
    ],
    counted: [
      [6, 0],
      [70, 1],
      [70, 4],
    ],
    reported: [70, 30],
  },
  'a chat in JSON': {
    request: { body: JSON.stringify(SAY) },
    type: 'application/json',
    parts: [
      '{"id":"c","model":"gpt-4o-mini","choices":[{"message":{"content":"One',
      ' two three"}}],',
      '"usage":{"prompt_tokens":70,"completion_tokens":30}}',
      '',
    ],
    counted: [
      [6, 0],
      [6, 1],
      [6, 3],
    ],
    reported: [70, 30],
    endsWithReport: true,
  },
  'a response in JSON': {
    request: {
      path: '/proxy/openai/v1/responses',
      body: JSON.stringify({ model: 'gpt-4o-mini', input: PROMPT }),
    },
    type: 'application/json',
    parts: [
      '{"id":"r","model":"gpt-4o-mini","output":[{"content":[{"type":"output_text","text":"One',
      ' two three"}]}],',
      `"usage":${JSON.stringify(USAGE)}}`,
      '',
    ],
    counted: [
      [6, 0],
      [6, 1],
      [6, 3],
    ],
    reported: [70, 30],
    endsWithReport: true,
  },
  'a message in JSON': {
    request: {
      ...MESSAGE,
      body: JSON.stringify({ ...JSON.parse(MESSAGE.body), stream: false, messages: SAY.messages }),
    },
    type: 'application/json',
    parts: [
      '{"id":"m","model":"claude-sonnet-4-5","content":[{"type":"text","text":"One',
      ' two three"}],',
      `"usage":${JSON.stringify(USAGE)}}`,
      '',
    ],
    counted: [
      [6, 0],
      [6, 1],
      [6, 3],
    ],
    reported: [70, 30],
    endsWithReport: true,
  },
};

let world: ProxyWorld;
beforeEach(async () => {
  world = await new ProxyWorld().start();
});
afterEach(() => world.close());

/** Instead of a number of parts: the provider has the request and has answered nothing. */
const BEFORE_HEADERS = null;

/** How many parts of the answer the client has. */
type Come = number | typeof BEFORE_HEADERS;

/** A call of which the client has received the headers and so many parts of the answer, or nothing; the rest is held back. */
class Standing {
  readonly got: Promise<Got | null>;
  readonly leave: () => void;
  private readonly response: Promise<http.ServerResponse>;
  private received = 0;
  private readonly headers = Promise.withResolvers<void>();
  private readonly progress = new Set<() => void>();

  constructor(
    private readonly scene: Scene,
    private readonly come: Come,
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
    });
    response.flushHeaders();
  }
}

/** The one end of the one hold: its frames, what it says, and what it counts. */
async function expectEnd(
  outcome: string,
  evidence: string,
  tokens: readonly [number, number],
): Promise<void> {
  await expectFrames('HoldReserved.v1', 'UsageMeasured.v2', 'HoldSettled.v1');
  const [usage] = world.usages();
  const [end] = world.ends();
  expect(usage?.data).toMatchObject({ id: world.reserved[0]?.hold_id, outcome, evidence });
  const [input, output] = tokens;
  expect(usage?.data.lines.map(({ meter, quantity }) => [meter, quantity])).toEqual(
    [
      ['input_tokens', String(input)],
      ['output_tokens', String(output)],
    ].filter(([, quantity]) => quantity !== '0'),
  );
  expect(end?.data).toMatchObject({ outcome, cost_micros: usage?.data.cost_micros });
}

async function expectFrames(...types: string[]): Promise<void> {
  await world.until(() => world.ends().length > 0, 'the end of the hold');
  await world.stopProxy();
  expect(world.spooled.map(({ type }) => type)).toEqual(types);
  expect(world.openCalls()).toBe(0);
}

/** Of an answer that nobody reads on: before its headers nothing is charged, then what has passed, then what was reported. */
async function expectCutOff(outcome: string, scene: Scene, come: Come): Promise<void> {
  if (come === BEFORE_HEADERS) {
    await expectFrames('HoldReserved.v1', 'HoldSettled.v1');
    expect(world.ends()[0]?.data).toMatchObject({
      hold_id: world.reserved[0]?.hold_id,
      outcome: 'upstream_died',
      cost_micros: 0,
    });
    return;
  }
  const counted = scene.counted[come as 0 | 1 | 2];
  if (counted) await expectEnd(outcome, 'counted', counted);
  else await expectEnd(outcome, 'exact', scene.reported);
}

/** Where a call can end: the parts that have come. After the report of some answers nothing can. */
const POINTS = [
  ['before the headers', BEFORE_HEADERS],
  ['at the first byte', 0],
  ['after the first part', 1],
  ['before the usage report', 2],
  ['after the usage report', 3],
] as const;

const CELLS = Object.entries(SCENES).flatMap(([name, scene]) =>
  POINTS.filter(([, come]) => !(come === 3 && scene.endsWithReport)).map(
    ([point, come]) => [name, point, scene, come] as const,
  ),
);

describe('an answer whose client leaves is read to its end and charged as reported', () => {
  it.each(CELLS)('%s, %s', async (_name, _point, scene, come) => {
    const standing = await new Standing(scene, come).begun();
    standing.leave();
    await world.until(() => world.draining() > 0, 'the gateway sees that the client left');
    await standing.goOn();
    await expectEnd('client_aborted', 'drained', scene.reported);
  });
});

describe('an answer whose provider dies is charged what was reported, or what has passed', () => {
  it.each(CELLS)('%s, %s', async (_name, _point, scene, come) => {
    const standing = await new Standing(scene, come).begun();
    await standing.die();
    if (come === BEFORE_HEADERS) expect(await standing.got).toMatchObject({ status: 502, broken: false });
    else await standing.expectTorn();
    await expectCutOff('upstream_died', scene, come);
    expect(world.seen).toHaveLength(1);
  });
});

describe('an answer in which the gateway stops is charged what was reported, or what has passed', () => {
  it.each(CELLS)('%s, %s', async (_name, _point, scene, come) => {
    const standing = await new Standing(scene, come).begun();
    await world.stopProxy();
    if (come === BEFORE_HEADERS) expect(await standing.got).toBeNull();
    else await standing.expectTorn();
    await expectCutOff('client_aborted', scene, come);
  });
});

describe('clients that have left', () => {
  const scene = SCENES['a streamed message'] as Scene;

  it('are drained at most so many at a time: the oldest is cut and counted', async () => {
    world.drains = { total: 9, perTenant: 2 };
    await world.restart();
    for (let left = 0; left < 3; left += 1) {
      const standing = await new Standing(scene, 2).begun();
      standing.leave();
      await world.until(() => world.draining() > Math.min(left, 1), 'the gateway sees that the client left');
    }
    await world.until(() => world.ends().length > 0, 'the end of the oldest');
    expect(world.usages().map(({ data }) => [data.id, data.evidence])).toEqual([
      [world.reserved[0]?.hold_id, 'counted'],
    ]);
  });

  it('are those, too, that take no byte while bytes wait for them', async () => {
    world.stalledMs = 200;
    await world.restart();
    const filler = `: ${'x'.repeat(65_536)}\n\n`;
    world.answer = (_request, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.write(scene.parts[0]);
      const fill = (): void => {
        if (response.write(filler)) setImmediate(fill);
        else response.once('drain', fill);
      };
      fill();
    };
    send(world, { ...scene.request, onHead: (response) => void response.pause() });
    await expectEnd('client_aborted', 'counted', [70, 1]);
  });

  it('are not those whose provider says nothing for longer', async () => {
    world.stalledMs = 100;
    await world.restart();
    const standing = await new Standing(scene, 2).begun();
    // The first look remembers what it sees, the second one finds that it has not changed.
    await world.until(() => world.stillnesses() > 2, 'the gateway has looked again and again');
    await standing.goOn();
    expect((await standing.got)?.body.toString()).toBe(scene.parts.join(''));
    await expectEnd('completed', 'exact', scene.reported);
  });
});
