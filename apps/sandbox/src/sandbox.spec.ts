import { setTimeout as delay } from 'node:timers/promises';
import Anthropic from '@anthropic-ai/sdk';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import OpenAI from 'openai';
import { startSandbox } from './sandbox.js';

const WEATHER = {
  type: 'object' as const,
  properties: { city: { type: 'string' }, days: { type: 'integer' } },
  required: ['city', 'days'],
};
const MESSAGES = [{ role: 'user' as const, content: 'Say hello to the world' }];
const ECHO = 'You said: Say hello to the world';
/** 32 bytes of echo; 22 bytes of prompt, rounded up to 6 tokens, and 3 for the message. */
const ECHO_TOKENS = 8;
const PROMPT_TOKENS = 9;

describe('sandbox', () => {
  let app: NestFastifyApplication;
  let url: string;
  let openai: OpenAI;
  let anthropic: Anthropic;

  beforeAll(async () => {
    app = await startSandbox({ SANDBOX_PORT: 0, SANDBOX_HOST: '127.0.0.1', VENDO_LOG_LEVEL: 'silent' });
    url = await app.getUrl();
    openai = new OpenAI({ apiKey: 'sk-sandbox', baseURL: `${url}/v1`, maxRetries: 0 });
    anthropic = new Anthropic({ apiKey: 'sk-ant-sandbox', baseURL: url, maxRetries: 0 });
  });
  afterAll(() => app.close());

  const post = (path: string, body: unknown, headers: Record<string, string> = {}): Promise<Response> =>
    fetch(url + path, {
      method: 'POST',
      headers: { authorization: 'Bearer sk-sandbox', 'content-type': 'application/json', ...headers },
      body: JSON.stringify(body),
    });
  const stream = (model: string): Promise<Response> =>
    post('/v1/chat/completions', { model, messages: MESSAGES, stream: true });

  describe('to the openai package', () => {
    it('completes a chat, with usage that follows from the text', async () => {
      const chat = await openai.chat.completions.create({ model: 'gpt-4o-mini', messages: MESSAGES });
      expect(chat.choices[0]?.message.content).toBe(ECHO);
      expect(chat.usage).toMatchObject({ prompt_tokens: PROMPT_TOKENS, completion_tokens: ECHO_TOKENS });
    });

    it('streams a chat, with usage only where it is asked for', async () => {
      const read = async (include_usage: boolean) => {
        const chunks = await openai.chat.completions.create({
          model: 'gpt-4o-mini',
          messages: MESSAGES,
          stream: true,
          ...(include_usage ? { stream_options: { include_usage } } : {}),
        });
        const seen = [];
        for await (const chunk of chunks) seen.push(chunk);
        return {
          text: seen.map(({ choices }) => choices[0]?.delta.content ?? '').join(''),
          usage: seen.at(-1)?.usage?.completion_tokens,
          finish: seen.flatMap(({ choices }) => choices[0]?.finish_reason ?? []),
        };
      };
      expect(await read(true)).toEqual({ text: ECHO, usage: ECHO_TOKENS, finish: ['stop'] });
      expect(await read(false)).toEqual({ text: ECHO, usage: undefined, finish: ['stop'] });
    });

    it('calls a demanded tool, whole and streamed', async () => {
      const body = {
        model: 'gpt-4o-mini',
        messages: MESSAGES,
        tools: [{ type: 'function' as const, function: { name: 'weather', parameters: WEATHER } }],
        tool_choice: 'required' as const,
      };
      const whole = await openai.chat.completions.create(body);
      const call = whole.choices[0]?.message.tool_calls?.[0];
      expect(call).toMatchObject({ function: { name: 'weather', arguments: '{"city":"sandbox","days":1}' } });
      const streamed = await openai.chat.completions.stream(body).finalChatCompletion();
      expect(streamed.choices[0]?.message.tool_calls?.[0]).toMatchObject({
        function: { name: 'weather', arguments: '{"city":"sandbox","days":1}' },
      });
    });

    it('answers responses, whole, streamed and with a tool', async () => {
      const body = { model: 'gpt-5', input: 'Say hello to the world' };
      const whole = await openai.responses.create(body);
      expect(whole.output_text).toBe(ECHO);
      expect(whole.usage?.output_tokens).toBe(ECHO_TOKENS);
      const streamed = await openai.responses.stream(body).finalResponse();
      expect(streamed.output_text).toBe(ECHO);
      expect(streamed.usage).toEqual(whole.usage);
      const tools = [{ type: 'function' as const, name: 'weather', parameters: WEATHER, strict: false }];
      const called = await openai.responses
        .stream({ ...body, tools, tool_choice: 'required' })
        .finalResponse();
      expect(called.output[0]).toMatchObject({
        type: 'function_call',
        arguments: '{"city":"sandbox","days":1}',
      });
    });

    it('ends a response that hits its token limit as incomplete', async () => {
      const cut = await openai.responses
        .stream({ model: 'gpt-5', input: 'Say hello to the world', max_output_tokens: 2 })
        .finalResponse();
      expect([cut.status, cut.output_text, cut.usage?.output_tokens]).toEqual(['incomplete', 'You said', 2]);
    });

    it('embeds', async () => {
      const { data, usage } = await openai.embeddings.create({
        model: 'text-embedding-3-small',
        input: ['a', 'b'],
      });
      expect(data.map(({ embedding }) => embedding.length)).toEqual([1_536, 1_536]);
      expect(data[0]?.embedding[0]).toBeCloseTo(Math.sin(1), 6);
      expect(usage.prompt_tokens).toBe(2);
    });

    it('lists and shows models', async () => {
      const { data } = await openai.models.list();
      expect(data.map(({ id }) => id)).toContain('gpt-4o-mini');
      expect((await openai.models.retrieve('ft:gpt-4o:a::b')).id).toBe('ft:gpt-4o:a::b');
    });

    it('raises the errors that the SDK knows', async () => {
      const ask = (model: string) => openai.chat.completions.create({ model, messages: MESSAGES });
      await expect(ask('sandbox-status429')).rejects.toBeInstanceOf(OpenAI.RateLimitError);
      await expect(ask('sandbox-status500')).rejects.toBeInstanceOf(OpenAI.InternalServerError);
      await expect(ask('sandbox-nosuchthing')).rejects.toBeInstanceOf(OpenAI.NotFoundError);
      const wrong = new OpenAI({ apiKey: 'vendo_sk_x', baseURL: `${url}/v1`, maxRetries: 0 });
      await expect(wrong.models.list()).rejects.toBeInstanceOf(OpenAI.AuthenticationError);
    });
  });

  describe('to the @anthropic-ai/sdk package', () => {
    const body = { model: 'claude-sonnet-5', max_tokens: 100, messages: MESSAGES };

    it('answers a message, whole and streamed, with one usage', async () => {
      const whole = await anthropic.messages.create(body);
      expect(whole.content).toEqual([{ type: 'text', text: ECHO }]);
      expect(whole.usage).toMatchObject({ input_tokens: PROMPT_TOKENS, output_tokens: ECHO_TOKENS });
      const streamed = await anthropic.messages.stream(body).finalMessage();
      expect(streamed.content).toMatchObject(whole.content);
      expect(streamed.usage).toEqual(whole.usage);
      expect(streamed.stop_reason).toBe('end_turn');
    });

    it('calls a demanded tool, whole and streamed', async () => {
      const demanded = {
        ...body,
        tools: [{ name: 'weather', input_schema: WEATHER }],
        tool_choice: { type: 'any' as const },
      };
      const input = { city: 'sandbox', days: 1 };
      expect((await anthropic.messages.create(demanded)).content[0]).toMatchObject({
        type: 'tool_use',
        input,
      });
      const streamed = await anthropic.messages.stream(demanded).finalMessage();
      expect(streamed.content[0]).toMatchObject({ type: 'tool_use', name: 'weather', input });
    });

    it('counts tokens as it bills them, and lists its own models', async () => {
      const { max_tokens: _limit, ...countable } = body;
      expect((await anthropic.messages.countTokens(countable)).input_tokens).toBe(PROMPT_TOKENS);
      expect((await anthropic.models.list()).data.map(({ id }) => id)).toContain('claude-sonnet-5');
    });

    it('reports cache tokens beside the input', async () => {
      const { usage } = await anthropic.messages.create({ ...body, model: 'sandbox-cached70-cachewrite20' });
      expect(usage).toMatchObject({
        input_tokens: PROMPT_TOKENS,
        cache_read_input_tokens: 70,
        cache_creation_input_tokens: 20,
      });
    });

    it('raises an error inside a stream', async () => {
      const broken = anthropic.messages.stream({ ...body, model: 'sandbox-errorevent3' }).finalMessage();
      await expect(broken).rejects.toThrow(/Overloaded/);
    });
  });

  describe('as the model name says', () => {
    it('sends so many chunks or bytes', async () => {
      const chunks = (await (await stream('sandbox-chunks7')).text()).match(/"delta":\{"content":"[^"]/g);
      expect(chunks).toHaveLength(7);
      const whole = await openai.chat.completions.create({ model: 'sandbox-bytes5000', messages: MESSAGES });
      expect(whole.choices[0]?.message.content).toHaveLength(5_000);
      expect(whole.usage?.completion_tokens).toBe(1_250);
    });

    it('paces its events', async () => {
      const begun = performance.now();
      await (await stream('sandbox-chunks5-pace20')).text();
      expect(performance.now() - begun).toBeGreaterThan(100);
    });

    it('adds cached and written tokens inside the prompt of OpenAI', async () => {
      const { usage } = await openai.chat.completions.create({
        model: 'sandbox-cached40',
        messages: MESSAGES,
      });
      expect(usage?.prompt_tokens).toBe(PROMPT_TOKENS + 40);
      expect(usage?.prompt_tokens_details?.cached_tokens).toBe(40);
    });

    it.each(['sandbox-die3', 'sandbox-die0', 'sandbox-die2-pace1', 'sandbox-diebeforeheaders'])(
      '%s leaves the client with a broken connection',
      async (model) => {
        await expect(stream(model).then((answer) => answer.text())).rejects.toThrow();
      },
    );

    it('dies in the middle of a JSON answer', async () => {
      const answer = await post('/v1/chat/completions', { model: 'sandbox-die1', messages: MESSAGES });
      await expect(answer.text()).rejects.toThrow();
    });

    it('sends the events before it dies', async () => {
      const answer = await stream('sandbox-die3');
      const reader = answer.body?.pipeThrough(new TextDecoderStream()).getReader();
      expect((await reader?.read())?.value?.match(/^data: /gm)).toHaveLength(3);
    });

    it('sends an error inside a stream and no end', async () => {
      const text = await (await stream('sandbox-errorevent2')).text();
      expect(text).toContain('{"error":{"message"');
      expect(text).not.toContain('[DONE]');
    });

    it.each([true, false])('compresses, where asked and accepted (stream: %p)', async (streamed) => {
      const body = { model: 'sandbox-gzip', messages: MESSAGES, stream: streamed };
      const zipped = await post('/v1/chat/completions', body);
      expect(zipped.headers.get('content-encoding')).toBe('gzip');
      expect(await zipped.text()).toContain('You said');
      const plain = await post('/v1/chat/completions', body, { 'accept-encoding': 'identity' });
      expect(plain.headers.get('content-encoding')).toBeNull();
    });

    it('reports no usage', async () => {
      const chat = await openai.chat.completions.create({ model: 'sandbox-nousage', messages: MESSAGES });
      expect(chat.usage).toBeUndefined();
    });

    it('sandbox-held waits in the middle of a stream, until all that are open are released', async () => {
      const answers = [
        await stream('sandbox-chunks8-pace10-held'),
        await stream('sandbox-chunks8-pace10-held'),
      ];
      const texts = answers.map((answer) => answer.text());
      expect(await Promise.race([...texts, delay(500, 'held')])).toBe('held');
      expect((await fetch(`${url}/release`, { method: 'POST' })).status).toBe(204);
      for (const text of await Promise.all(texts)) expect(text).toContain('[DONE]');
      const later = (await stream('sandbox-chunks8-pace10-held')).text();
      expect(await Promise.race([later, delay(500, 'held')])).toBe('held');
      await fetch(`${url}/release`, { method: 'POST' });
      await later;
    });

    it.each(['sandbox-hang', 'sandbox-stall2'])('%s keeps the client waiting', async (model) => {
      const waiting = new AbortController();
      const answer = fetch(`${url}/v1/chat/completions`, {
        method: 'POST',
        headers: { authorization: 'Bearer sk-sandbox' },
        body: JSON.stringify({ model, messages: MESSAGES, stream: true }),
        signal: waiting.signal,
      }).then((one) => one.text());
      const first = await Promise.race([answer, delay(100, 'still waiting')]);
      waiting.abort();
      await answer.catch(() => undefined);
      expect(first).toBe('still waiting');
    });
  });

  it('sends headers that a gateway must take out', async () => {
    const answer = await post('/v1/embeddings', { model: 'text-embedding-3-small', input: 'a' });
    for (const name of ['set-cookie', 'openai-organization', 'x-ratelimit-limit-requests', 'x-request-id'])
      expect(answer.headers.get(name)).not.toBeNull();
  });

  it('answers health and metrics', async () => {
    expect((await fetch(`${url}/healthz`)).status).toBe(200);
    expect(await (await fetch(`${url}/metrics`)).text()).toContain('vendo_');
  });
});
