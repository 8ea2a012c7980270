import { describe, expect, it } from '@jest/globals';
import { readRequest } from '../read-answer.contract.js';
import { anthropic } from './anthropic.provider.js';

const read = (body: unknown) => readRequest(anthropic, '/v1/messages', body);
const plain = { model: 'claude-opus-5', max_tokens: 50, messages: [{ role: 'user', content: 'hi' }] };

describe('anthropic requests', () => {
  it.each([
    ['no model', { max_tokens: 5 }],
    ['a limit that is no count', { model: 'm', max_tokens: '5' }],
    ['a choice of who pays', { ...plain, billing_policy: {} }],
  ])('refuses %s', (_, body) =>
    expect(() => read(body)).toThrow(expect.objectContaining({ code: 'invalid_body' })),
  );

  it.each([
    ['text', {}, 0],
    ['blocks', { messages: [{ role: 'user', content: [{ type: 'text', text: 'hi' }] }] }, 0],
    ['a tool result', { messages: [{ role: 'user', content: [{ type: 'tool_result', content: 'x' }] }] }, 0],
    ['thinking', { thinking: { type: 'enabled', budget_tokens: 20 } }, 0],
    ['tools of the client', { tools: [{ name: 'f', input_schema: {} }] }, 1_000],
  ])('bounds %s by bytes and limit', (_, change, hidden) => {
    const body = JSON.stringify({ ...plain, ...change });
    expect(read(body).bound).toEqual({ kind: 'tokens', input: body.length + hidden, output: 50 });
  });

  const image = { type: 'image', source: { type: 'url', url: 'https://x' } };
  it.each([
    ['no limit', { max_tokens: undefined }],
    ['an image', { messages: [{ role: 'user', content: [image] }] }],
    ['an image in a tool result', { messages: [{ content: [{ type: 'tool_result', content: [image] }] }] }],
    ['a tool of the provider', { tools: [{ type: 'web_search_20250305', name: 'web_search' }] }],
    ['MCP servers', { mcp_servers: [{ url: 'https://x' }] }],
    ['fallback models', { fallbacks: [{ model: 'claude-fable-5' }] }],
    ['compaction', { context_management: { edits: [{ type: 'compact_20260112' }] } }],
  ])('holds the ceiling for %s', (_, change) =>
    expect(read({ ...plain, ...change }).bound).toEqual({ kind: 'ceiling' }),
  );

  const file = { type: 'document', source: { type: 'file', file_id: 'file_1' } };
  const resultOf = (content: unknown) => ({ type: 'tool_result', tool_use_id: 't', content });
  const codeResultOf = (made: object) => ({
    ...{ type: 'code_execution_tool_result', tool_use_id: 't' },
    content: { type: 'code_execution_result', content: [{ ...made, file_id: 'f' }] },
  });
  const documentOf = (content: unknown) => ({ type: 'document', source: { type: 'content', content } });
  it.each([
    [{ thread: { id: 'thr_1' } }, 'thread'],
    [{ container: 'cont_1' }, 'container'],
    [{ container: { id: 'cont_1' } }, 'container'],
    [{ messages: [{ role: 'user', content: [file] }] }, 'file_id'],
    [{ messages: [{ role: 'user', content: [{ type: 'tool_result', content: [file] }] }] }, 'file_id'],
    [{ messages: [{ role: 'user', content: [{ type: 'container_upload', file_id: 'f' }] }] }, 'file_id'],
    [{ messages: [{ role: 'user', content: [documentOf([image, file])] }] }, 'file_id'],
    [{ messages: [{ role: 'user', content: [resultOf([documentOf([file])])] }] }, 'file_id'],
    [{ messages: [{ role: 'assistant', content: [resultOf({ content: [{ file_id: 'f' }] })] }] }, 'file_id'],
    [{ messages: [{ role: 'user', content: [{ type: 'text', input: file }] }] }, 'file_id'],
    [{ messages: [{ role: 'user', content: file }] }, 'file_id'],
    [{ system: [file] }, 'file_id'],
  ])('%j reads what is stored in the account', (change, field) =>
    expect(read({ ...plain, ...change }).accountObjects).toEqual([field]),
  );

  it.each([
    { messages: [{ role: 'assistant', content: [{ type: 'tool_use', input: { file_id: 'f' } }] }] },
    { messages: [{ role: 'assistant', content: [{ type: 'text', citations: [{ file_id: null }] }] }] },
    { messages: [{ role: 'assistant', content: [codeResultOf({ type: 'code_execution_output' })] }] },
    { messages: [{ role: 'assistant', content: [codeResultOf({ type: 'bash_code_execution_output' })] }] },
    { tools: [{ name: 'f', input_schema: { properties: { file_id: { type: 'string' } } } }] },
    { container: {} },
  ])('%j reads nothing that is stored', (change) =>
    expect(read({ ...plain, ...change }).accountObjects).toEqual([]),
  );

  it.each([
    [{}, 'standard'],
    [{ service_tier: 'auto' }, 'standard'],
    [{ service_tier: 'standard_only', inference_geo: 'global' }, 'standard'],
    [{ speed: 'fast' }, 'fast'],
    [{ inference_geo: 'us' }, 'us'],
    [{ speed: 'fast', inference_geo: 'us' }, 'fast_us'],
  ])('%j asks for %s', (change, tier) => expect(read({ ...plain, ...change }).tier).toBe(tier));
});
