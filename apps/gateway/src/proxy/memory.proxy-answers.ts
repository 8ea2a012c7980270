import type http from 'node:http';
import { CHAT } from './memory.proxy-client.js';

/** 1,000 in and 500 out on gpt-4o-mini: (1000 * 0.15 + 500 * 0.6) * 1.2 micros. */
export const CHAT_COST = 540;
export const USAGE = { prompt_tokens: 1_000, completion_tokens: 500, total_tokens: 1_500 };
export const CHAT_JSON = JSON.stringify({
  id: 'chatcmpl-1',
  object: 'chat.completion',
  model: 'gpt-4o-mini-2024-07-18',
  choices: [{ index: 0, message: { role: 'assistant', content: 'hello' }, finish_reason: 'stop' }],
  usage: USAGE,
});

export const TEXT = chunk({ choices: [{ index: 0, delta: { content: 'hello' } }] });
export const USAGE_CHUNK = chunk({ choices: [], usage: USAGE });
export const DONE = 'data: [DONE]\n\n';
export const STREAMED = { ...CHAT, stream: true, stream_options: { include_usage: true } };
export const STREAM = { body: JSON.stringify(STREAMED) };

export const MESSAGE_START = sse('message_start', {
  type: 'message_start',
  message: { id: 'msg_1', model: 'claude-sonnet-4-5', usage: { input_tokens: 2_000, output_tokens: 1 } },
});
export const MESSAGE_TEXT = sse('content_block_delta', {
  type: 'content_block_delta',
  index: 0,
  delta: { type: 'text_delta', text: 'hello' },
});
export const MESSAGE_DELTA = sse('message_delta', {
  type: 'message_delta',
  delta: { stop_reason: 'end_turn' },
  usage: { output_tokens: 400 },
});
export const MESSAGE_STOP = sse('message_stop', { type: 'message_stop' });
export const MESSAGE = {
  path: '/proxy/anthropic/v1/messages',
  body: JSON.stringify({
    model: 'claude-sonnet-4-5',
    max_tokens: 500,
    stream: true,
    messages: [{ role: 'user', content: 'hi' }],
  }),
};

export function chunk(fields: object): string {
  return `data: ${JSON.stringify({ id: 'chatcmpl-1', model: 'gpt-4o-mini-2024-07-18', ...fields })}\n\n`;
}

export function sse(event: string, data: object): string {
  return `event: ${event}\ndata: ${JSON.stringify(data)}\n\n`;
}

export function json(status: number, body: string, headers: http.OutgoingHttpHeaders = {}) {
  return (_request: http.IncomingMessage, response: http.ServerResponse): void => {
    response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(body);
  };
}

export function stream(...events: string[]) {
  return (_request: http.IncomingMessage, response: http.ServerResponse): http.ServerResponse => {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.write(events.join(''));
    return response;
  };
}
