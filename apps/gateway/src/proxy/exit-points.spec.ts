import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import {
  describeExitPoints,
  expectEnd,
  priceEverything,
  type Scene,
  Standing,
} from './memory.exit-points.contract.js';
import { chunk, DONE, MESSAGE, sse } from './memory.proxy-answers.js';
import { CHAT, send } from './memory.proxy-client.js';
import { ProxyWorld } from './memory.proxy-world.js';

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
      { input_tokens: 6 },
      { input_tokens: 6, output_tokens: 1 },
      { input_tokens: 6, output_tokens: 4 },
    ],
    reported: { input_tokens: 70, output_tokens: 30 },
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
    counted: [{ input_tokens: 6 }, { input_tokens: 6 }, { input_tokens: 6, output_tokens: 4 }],
    reported: { input_tokens: 70, output_tokens: 30 },
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
      { input_tokens: 6 },
      { input_tokens: 70, output_tokens: 1 },
      { input_tokens: 70, output_tokens: 4 },
    ],
    reported: { input_tokens: 70, output_tokens: 30 },
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
      { input_tokens: 6 },
      { input_tokens: 6, output_tokens: 1 },
      { input_tokens: 6, output_tokens: 3 },
    ],
    reported: { input_tokens: 70, output_tokens: 30 },
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
      { input_tokens: 6 },
      { input_tokens: 6, output_tokens: 1 },
      { input_tokens: 6, output_tokens: 3 },
    ],
    reported: { input_tokens: 70, output_tokens: 30 },
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
      { input_tokens: 6 },
      { input_tokens: 6, output_tokens: 1 },
      { input_tokens: 6, output_tokens: 3 },
    ],
    reported: { input_tokens: 70, output_tokens: 30 },
    endsWithReport: true,
  },
};

describeExitPoints(SCENES);

describe('clients that have left', () => {
  let world: ProxyWorld;
  beforeEach(async () => {
    world = await new ProxyWorld().start();
    priceEverything(world);
  });
  afterEach(() => world.close());

  const scene = SCENES['a streamed message'] as Scene;

  it('are drained at most so many at a time: the oldest is cut and counted', async () => {
    world.drains = { total: 9, perTenant: 2 };
    await world.restart();
    for (let left = 0; left < 3; left += 1) {
      const standing = await new Standing(world, scene, 2).begun();
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
    await expectEnd(world, {
      ...{ outcome: 'client_aborted', evidence: 'counted', cost: 71 * 12 },
      lines: { input_tokens: 70, output_tokens: 1 },
    });
  });

  it('are not those whose provider says nothing for longer', async () => {
    world.stalledMs = 100;
    await world.restart();
    const standing = await new Standing(world, scene, 2).begun();
    // The first look remembers what it sees, the second one finds that it has not changed.
    await world.until(() => world.stillnesses() > 2, 'the gateway has looked again and again');
    await standing.goOn();
    expect((await standing.got)?.body.toString()).toBe(scene.parts.join(''));
    await expectEnd(world, {
      ...{ outcome: 'completed', evidence: 'exact', cost: 100 * 12 },
      lines: scene.reported,
    });
  });
});
