import Anthropic from '@anthropic-ai/sdk';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type SandboxUnderTest, sandboxUnderTest } from '../sandbox-under-test.js';

const BODY = { max_tokens: 100, messages: [{ role: 'user' as const, content: 'Say hello to the world' }] };
const PROMPT_TOKENS = 9;
const ECHO_TOKENS = 8;

describe('the Anthropic of the sandbox', () => {
  let sandbox: SandboxUnderTest;
  let anthropic: Anthropic;

  beforeAll(async () => {
    sandbox = await sandboxUnderTest({ 'x-api-key': 'sk-ant', 'anthropic-version': '2023-06-01' });
    anthropic = new Anthropic({ apiKey: 'sk-ant', baseURL: sandbox.url, maxRetries: 0 });
  });
  afterAll(() => sandbox.close());

  /** Whole and streamed must say the same. */
  const both = async (model: string, more: object = {}) => {
    const whole = await anthropic.messages.create({ ...BODY, ...more, model });
    const streamed = await anthropic.messages.stream({ ...BODY, ...more, model }).finalMessage();
    expect(streamed.usage).toEqual(whole.usage);
    expect(streamed.stop_reason).toBe(whole.stop_reason);
    expect(streamed.content.map(({ type }) => type)).toEqual(whole.content.map(({ type }) => type));
    return whole;
  };

  it.each([{ 'x-api-key': 'sk-ant' }, { authorization: 'Bearer sk-ant' }])('takes %j', async (headers) => {
    const answer = await sandbox.post('/v1/messages', { ...BODY, model: 'claude-haiku-4-5' }, headers);
    expect(answer.status).toBe(200);
  });

  it('tells what its own tools cost at the end only, where it raises the input', async () => {
    const tools = [
      { type: 'web_search_20250305', name: 'web_search' },
      { type: 'web_fetch_20250910', name: 'web_fetch' },
      { type: 'code_execution_20250825', name: 'code_execution' },
    ];
    const whole = await both('sandbox-tooluses2', { tools });
    const input = await anthropic.messages.countTokens({
      model: 'claude-haiku-4-5',
      messages: BODY.messages,
      tools: tools as unknown as [],
    });
    expect(whole.usage).toMatchObject({
      input_tokens: input.input_tokens + 6_000,
      server_tool_use: { web_search_requests: 2, web_fetch_requests: 2 },
    });
    expect(whole).toMatchObject({ container: { id: expect.any(String) } });
    const text = await (
      await sandbox.post('/v1/messages', { ...BODY, tools, stream: true, model: 'claude-haiku-4-5' })
    ).text();
    const [start = ''] = /event: message_start\n.*/.exec(text) ?? [];
    expect(start).toContain(`"input_tokens":${input.input_tokens},`);
    expect(start).not.toContain('server_tool_use');
  });

  it('thinks', async () => {
    const { content, usage } = await both('sandbox-reasoning40');
    expect(content.map(({ type }) => type)).toEqual(['thinking', 'text']);
    expect(usage).toMatchObject({
      output_tokens: 40 + ECHO_TOKENS,
      output_tokens_details: { thinking_tokens: 40 },
    });
  });

  it('refuses at once, with input that is not billed, or after it has begun', async () => {
    expect(await both('sandbox-refusal')).toMatchObject({
      content: [],
      stop_reason: 'refusal',
      usage: { input_tokens: PROMPT_TOKENS, output_tokens: 0 },
    });
    const begun = await both('sandbox-refusal-chunks4');
    expect(begun.stop_reason).toBe('refusal');
    expect(begun.usage.output_tokens).toBeGreaterThan(0);
  });

  it('tells compactions and advisors in iterations alone', async () => {
    const model = 'sandbox-compaction5000-advisor300';
    const { usage } = await anthropic.messages.create({ ...BODY, model });
    const text = await (await sandbox.post('/v1/messages', { ...BODY, model, stream: true })).text();
    const [, delta = ''] = /event: message_delta\ndata: (.*)/.exec(text) ?? [];
    const { iterations } = JSON.parse(delta).usage;
    expect({ ...usage, iterations }).toEqual(usage);
    expect(usage).toMatchObject({
      input_tokens: PROMPT_TOKENS,
      output_tokens: ECHO_TOKENS,
      iterations: [
        { type: 'compaction', input_tokens: 5_000, output_tokens: 100 },
        { type: 'advisor_message', model: 'claude-opus-5', input_tokens: 300, output_tokens: 100 },
        { type: 'message', input_tokens: PROMPT_TOKENS, output_tokens: ECHO_TOKENS },
      ],
    });
  });
});
