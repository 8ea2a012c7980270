import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from '@jest/globals';
import type { Reading, UsageMeter } from '../providers/provider.js';
import { readRequest } from '../providers/read-answer.contract.js';
import { providerBySlug } from '../providers/registry.js';
import { KeptBytes } from './kept-bytes.js';
import { SseReader } from './sse-reader.js';

const HEAD = '{"id":"c1","object":"chat.completion.chunk","model":"gpt-4o-mini"';
const USAGE = '{"prompt_tokens":5,"completion_tokens":7}';

/** Streams that a cheap look could misread, by the route that they answer. */
const STREAMS: Record<string, readonly string[]> = {
  'openai /v1/chat/completions': [
    `data: ${HEAD},"choices":[{}],"usage":null}\n\ndata: ${HEAD},"choices":[],"usage":${USAGE}}\n\ndata: [DONE]\n\n`,
    `data: ${HEAD},"choices":[{}]}\n\ndata: ${HEAD}, "usage" : ${USAGE}}\n\ndata:[DONE]\n\n`,
    `data: ${HEAD},"choices":[{"usage":null}],"usage":${USAGE}}\r\n\r\ndata: [DONE]\r\n\r\n`,
    `data: ${HEAD},"choices":[{}]}\n\ndata: ${HEAD},"usage":\ndata: ${USAGE}}\n\n`,
    `data: ${HEAD},"choices":[{}]}\n\ndata: {"error":{"message":"overloaded"}}\n\n`,
    `data: ${HEAD},"choices":[{"delta":{"content":"\\"usage\\":{}"}}]}\n\ndata: ${HEAD},"usage":${USAGE}}\n\n`,
  ],
  'openai /v1/responses': [
    'event: response.output_text.delta\ndata: {"type":"response.output_text.delta","delta":"a"}\n\nevent: response.completed\ndata: {"response":{"id":"r","usage":{"input_tokens":5,"output_tokens":7}}}\n\n',
    'event: response.output_text.delta\nevent: response.completed\ndata: {"response":{"usage":{"input_tokens":5,"output_tokens":7}}}\n\n',
    'data: {"type":"response.completed","response":{"usage":{"input_tokens":5,"output_tokens":7}}}\n\n',
    'event: error\ndata: {"type":"error"}\n\n',
  ],
  'anthropic /v1/messages': [
    'event: message_start\ndata: {"message":{"id":"m","model":"claude-haiku-4-5","usage":{"input_tokens":5,"output_tokens":1}}}\n\nevent: content_block_delta\ndata: {"delta":{"text":"event"}}\n\nevent: message_delta\ndata: {"delta":{},"usage":{"output_tokens":7}}\n\nevent: message_stop\ndata: {}\n\n',
    'event: ping\nevent: message_start\ndata: {"message":{"usage":{"input_tokens":5,"output_tokens":1}}}\n\n',
    'data: {"type":"message_start","message":{"usage":{"input_tokens":5,"output_tokens":1}}}\n\n',
    'event: content_block_delta\revent: error\rdata: {"type":"error"}\r\r',
  ],
  'openrouter /api/v1/chat/completions': [
    `: OPENROUTER PROCESSING\n\ndata: ${HEAD},"choices":[{}]}\n\ndata: ${HEAD},"error":{"code":400},"choices":[{}],"usage":${USAGE}}\n\ndata: [DONE]\n\n`,
    `data: ${HEAD},"choices":[{}],"usage":null}\n\ndata: ${HEAD},"choices":[{"finish_reason":"error"}],"error":{"code":502}}\n\n`,
  ],
  'openrouter /api/v1/responses': [
    'data: {"type":"response.output_text.delta","delta":"a"}\n\ndata: {"type":"response.completed","response":{"id":"r","error":null,"usage":{"input_tokens":5,"cost":0.1}}}\n\n',
    'data: {"type":"response.created","response":{"id":"r","error":null}}\n\ndata: {"type":"error","code":"x"}\n\n',
  ],
  'gemini /v1beta/models/m:streamGenerateContent?alt=sse': [
    'data: {"candidates":[],"usageMetadata":{"promptTokenCount":5}}\r\n\r\n',
    'data: {"error":{"code":503}}\r\n\r\n',
  ],
  'gemini /v1beta/interactions': [
    'data: {"event_type":"step.delta","delta":{"type":"text","text":"a"},"metadata":{"total_usage":{"total_input_tokens":5}}}\n\n',
    'data: {"event_type":"step.delta","delta":{"type":"text","text":"a"}}\n\ndata: {"event_type":"interaction.completed","interaction":{"usage":{"total_input_tokens":5}}}\n\n',
  ],
  'gemini /v1beta/openai/chat/completions': [
    `data: ${HEAD},"choices":[{"delta":{"content":"a"}}]}\n\ndata: ${HEAD},"choices":[],"usage":${USAGE}}\n\ndata: [DONE]\n\n`,
  ],
};

const providersFolder = path.join(import.meta.dirname, '..', 'providers');
/** The recorded streams of a provider and the route that answers so. One that takes a form is read in its own spec. */
const RECORDED: Record<string, Record<string, string>> = {
  openai: {
    'chat-usage-after-error': '/v1/chat/completions',
    'responses-incomplete': '/v1/responses',
    'responses-tools': '/v1/responses',
    'image-generation': '/v1/images/generations',
    speech: '/v1/audio/speech',
  },
  anthropic: {
    'delta-raises-and-lowers': '/v1/messages',
    'delta-with-output-only': '/v1/messages',
    'error-mid-stream': '/v1/messages',
    'fallback-mid-stream': '/v1/messages',
    'refusal-without-output': '/v1/messages',
  },
};
const OF_FORMS = ['transcript-crlf.sse.txt'];

function meterOf(route: string): UsageMeter {
  const [slug = '', target = ''] = route.split(' ');
  const provider = providerBySlug(slug);
  if (!provider) throw new Error(slug);
  const body = { model: 'm', max_tokens: 9, stream: true, messages: [], input: 'x' };
  return readRequest(provider, target, body).meter();
}

interface Told {
  reading: Reading;
  terminal: boolean;
  kept: string;
}

function read(route: string, stream: string, options: { skipping: boolean }): Told {
  const meter = meterOf(route);
  if (!options.skipping) Object.defineProperty(meter, 'signs', { value: undefined });
  const reader = new SseReader(meter);
  const kept = new KeptBytes();
  const whole = Buffer.from(stream);
  if (reader.feed(whole, kept)) kept.add(whole);
  reader.end(kept);
  return {
    reading: meter.reading(),
    terminal: reader.terminal,
    kept: Buffer.concat(kept.take()).toString(),
  };
}

const cases = Object.entries(STREAMS).flatMap(([route, streams]) =>
  streams.map((stream) => ({ route, stream })),
);

describe('what is skipped unread', () => {
  it.each(cases)('changes nothing for $route: $stream', ({ route, stream }) => {
    const whole = read(route, stream, { skipping: false });
    expect(read(route, stream, { skipping: true })).toEqual(whole);
    expect(whole.reading.state !== 'none' || whole.reading.failed).toBe(true);
  });

  it.each(Object.entries(RECORDED))('changes nothing for the fixtures of %s', (slug, routes) => {
    const folder = path.join(providersFolder, slug, 'fixtures');
    const files = readdirSync(folder).filter((file) => file.endsWith('.sse.txt') && !OF_FORMS.includes(file));
    expect(files.sort()).toEqual(
      Object.keys(routes)
        .map((name) => `${name}.sse.txt`)
        .sort(),
    );
    for (const [name, target] of Object.entries(routes)) {
      const stream = readFileSync(path.join(folder, `${name}.sse.txt`), 'utf8');
      const route = `${slug} ${target}`;
      expect(read(route, stream, { skipping: true })).toEqual(read(route, stream, { skipping: false }));
    }
  });
});
