import { createAnthropic } from '@ai-sdk/anthropic';
import { createGoogle } from '@ai-sdk/google';
import { createOpenAI } from '@ai-sdk/openai';
import Anthropic from '@anthropic-ai/sdk';
import ComposioClient from '@composio/client';
import { Composio } from '@composio/core';
import { ElevenLabsClient } from '@elevenlabs/elevenlabs-js';
import { GoogleGenAI } from '@google/genai';
import { OpenRouter } from '@openrouter/sdk';
import { type LanguageModel, streamText } from 'ai';
import Anthropic0 from 'anthropic-sdk-0';
import { AssemblyAI } from 'assemblyai';
import { GoogleGenAI as GoogleGenAI2 } from 'google-genai-2';
import { Bot } from 'grammy';
import OpenAI from 'openai';
import OpenAI6 from 'openai-6';
import { Telegraf } from 'telegraf';
import { chargeByHand, LIST_PRICES, withMargin } from '../charge-by-hand.js';
import { QUIET } from './composio.js';
import { allOf } from './product.js';
import type { Python } from './python.js';

/** One recorded answer, the SDK call that it belongs to, and what the SDK must have made of it. */
export interface Served {
  sdk: string;
  provider:
    | 'openai'
    | 'anthropic'
    | 'openrouter'
    | 'gemini'
    | 'elevenlabs'
    | 'assemblyai'
    | 'composio'
    | 'telegram';
  file: string;
  /** What took the work on whose report this is, and the answer to it, which was not recorded. */
  submitted?: { ask: Served['ask']; answer: object };
  /** @param root of the provider: its origin, or ours with the path of the provider. */
  ask: (root: string, key: string) => Promise<unknown>;
  parsed: object;
  /** Worked out by hand from the recording and the list price; null: free. */
  micros: number | null;
  /** Where the quantity is known without the body; else it is `exact`. */
  evidence?: 'exact' | 'header';
}

const MESSAGES = [{ role: 'user' as const, content: 'Hello' }];
const GPT_4O = LIST_PRICES['gpt-4o'];
const FLASH = LIST_PRICES['gemini-2.5-flash'];
const SONNET_4 = { input: 3_000, output: 15_000 };
const NO_CACHE = { cacheRead: 0, cacheWrite: 0 };

const CACHED_CHAT = {
  provider: 'openai',
  file: 'openai/chat-cached-gpt4o.json',
  parsed: { usage: { prompt_tokens: 1220, completion_tokens: 100 } },
  micros: chargeByHand({ input: 68, cacheRead: 1_152, cacheWrite: 0, output: 100 }, GPT_4O),
} as const;
const CHAT_OF_TOOLS = {
  provider: 'openai',
  file: 'openai/chat-stream-tools-usage-gpt4o.sse.txt',
  micros: chargeByHand({ input: 106, ...NO_CACHE, output: 50 }, GPT_4O),
} as const;
const TWO_TOOLS = {
  choices: [{ message: { tool_calls: [{ function: { name: 'add' } }, { function: { name: 'multiply' } }] } }],
  usage: { prompt_tokens: 106, completion_tokens: 50 },
};
const TOOL_USE = {
  provider: 'anthropic',
  file: 'anthropic/stream-tool-use.sse.txt',
  parsed: { stop_reason: 'tool_use', usage: { input_tokens: 394, output_tokens: 67 } },
  micros: chargeByHand({ input: 394, ...NO_CACHE, output: 67 }, SONNET_4),
} as const;
const THOUGHTS = {
  provider: 'gemini',
  file: 'gemini/stream-thoughts-crlf.sse.txt',
  micros: chargeByHand({ input: 11, ...NO_CACHE, output: 23 }, FLASH),
} as const;
const EXECUTED = {
  provider: 'composio',
  file: 'composio/execute-success.json',
  parsed: { successful: true, data: { id: 'm-1' } },
  micros: withMargin(299_000),
  evidence: 'header',
} as const;
const SENT = {
  provider: 'telegram',
  file: 'telegram/send-message-ok.json',
  parsed: { message_id: 1, text: 'hi' },
  micros: null,
} as const;
const TRANSCRIPT = '9ea68fd3-f953-42c1-9742-976c447fb463';
const USER_AND_ARGUMENTS = { user_id: 'somebody', arguments: {} };

/** What the AI SDK makes of a stream; its metadata tell of the one call. */
async function streamedText(model: LanguageModel) {
  const answer = streamText({ model, messages: MESSAGES });
  const { inputTokens, outputTokens } = await answer.usage;
  const tools = (await answer.toolCalls).map(({ toolName, input }) => ({ toolName, input }));
  return { text: await answer.text, tools, inputTokens, outputTokens };
}

const GEMINI_VERSIONS: Pick<Served, 'sdk' | 'ask'>[] = [
  ['@google/genai 3.x', GoogleGenAI] as const,
  ['@google/genai 2.x', GoogleGenAI2 as unknown as typeof GoogleGenAI] as const,
].map(([sdk, Client]) => ({
  sdk,
  ask: async (baseUrl, apiKey) => {
    const { models } = new Client({ apiKey, httpOptions: { baseUrl } });
    const chunks = await allOf(
      await models.generateContentStream({ model: 'gemini-2.5-flash', contents: 'Hello' }),
    );
    return { text: chunks.map(({ text }) => text).join(''), usage: chunks.at(-1)?.usageMetadata };
  },
}));

export const SERVED: Served[] = [
  {
    ...CACHED_CHAT,
    sdk: 'openai 7.x',
    ask: (root, apiKey) =>
      new OpenAI({ baseURL: `${root}/v1`, apiKey }).chat.completions.create({
        model: 'gpt-4o',
        messages: MESSAGES,
      }),
  },
  {
    ...CHAT_OF_TOOLS,
    sdk: 'openai 7.x',
    parsed: TWO_TOOLS,
    ask: (root, apiKey) =>
      new OpenAI({ baseURL: `${root}/v1`, apiKey }).chat.completions
        .stream({ model: 'gpt-4o', messages: MESSAGES, stream_options: { include_usage: true } })
        .finalChatCompletion(),
  },
  {
    sdk: 'openai 7.x',
    provider: 'openai',
    file: 'openai/responses-stream-non-ascii.sse.txt',
    ask: (root, apiKey) =>
      new OpenAI({ baseURL: `${root}/v1`, apiKey }).responses
        .stream({ model: 'gpt-4o', input: 'Hello' })
        .finalResponse(),
    parsed: { usage: { input_tokens: 10, output_tokens: 41 } },
    micros: chargeByHand({ input: 10, ...NO_CACHE, output: 41 }, GPT_4O),
  },
  {
    ...CHAT_OF_TOOLS,
    sdk: 'openai 6.x',
    parsed: TWO_TOOLS,
    ask: (root, apiKey) =>
      new OpenAI6({ baseURL: `${root}/v1`, apiKey }).chat.completions
        .stream({ model: 'gpt-4o', messages: MESSAGES, stream_options: { include_usage: true } })
        .finalChatCompletion(),
  },
  {
    ...TOOL_USE,
    sdk: '@anthropic-ai/sdk 1.x',
    ask: (baseURL, apiKey) =>
      new Anthropic({ baseURL, apiKey }).messages
        .stream({ model: 'claude-sonnet-4-20250514', max_tokens: 100, messages: MESSAGES })
        .finalMessage(),
  },
  {
    sdk: '@anthropic-ai/sdk 1.x',
    provider: 'anthropic',
    file: 'anthropic/message-opus5-thinking.json',
    ask: (baseURL, apiKey) =>
      new Anthropic({ baseURL, apiKey }).messages.create({
        model: 'claude-opus-5',
        max_tokens: 4096,
        messages: MESSAGES,
      }),
    parsed: { usage: { input_tokens: 13, output_tokens: 44 } },
    micros: chargeByHand({ input: 13, ...NO_CACHE, output: 44 }, { input: 5_000, output: 25_000 }),
  },
  {
    ...TOOL_USE,
    sdk: '@anthropic-ai/sdk 0.x',
    ask: (baseURL, apiKey) =>
      new Anthropic0({ baseURL, apiKey }).messages
        .stream({ model: 'claude-sonnet-4-20250514', max_tokens: 100, messages: MESSAGES })
        .finalMessage(),
  },
  ...GEMINI_VERSIONS.map((version) => ({
    ...THOUGHTS,
    ...version,
    parsed: { text: 'Olá!', usage: { promptTokenCount: 11, thoughtsTokenCount: 21, totalTokenCount: 34 } },
  })),
  {
    sdk: '@openrouter/sdk',
    provider: 'openrouter',
    file: 'openrouter/chat-cache-read-and-write.json',
    ask: (root, apiKey) =>
      new OpenRouter({ apiKey, serverURL: `${root}/api/v1` }).chat.send({
        chatRequest: { model: 'anthropic/claude-sonnet-4.6', messages: MESSAGES },
      }),
    parsed: { usage: { cost: 0.00256995, promptTokens: 2649, promptTokensDetails: { cachedTokens: 2569 } } },
    micros: withMargin(2_569_950),
  },
  {
    sdk: '@openrouter/sdk',
    provider: 'openrouter',
    file: 'openrouter/chat-stream-comments-cost.sse.txt',
    ask: async (root, apiKey) => {
      const stream = await new OpenRouter({ apiKey, serverURL: `${root}/api/v1` }).chat.send({
        chatRequest: { model: 'anthropic/claude-haiku-4.5', messages: MESSAGES, stream: true },
      });
      const chunks = 'getReader' in stream ? await allOf(stream) : [];
      return {
        text: chunks.map(({ choices }) => choices[0]?.delta.content ?? '').join(''),
        usage: chunks.at(-1)?.usage,
      };
    },
    parsed: {
      text: 'Olá! 👋\n\nHow can I help you today?',
      usage: { cost: 0.000106, promptTokens: 16, completionTokens: 18 },
    },
    micros: withMargin(106_000),
  },
  {
    sdk: '@elevenlabs/elevenlabs-js',
    provider: 'elevenlabs',
    file: 'elevenlabs/tts-basic-mp3.mp3',
    ask: async (baseUrl, apiKey) => {
      const sound = await new ElevenLabsClient({ baseUrl, apiKey }).textToSpeech.convert('voice', {
        text: 'Hello world!',
      });
      return { sound: Buffer.concat(await allOf(sound)) };
    },
    parsed: { sound: { length: 20_107 } },
    micros: withMargin(12 * 100_000),
    evidence: 'header',
  },
  {
    sdk: 'assemblyai',
    provider: 'assemblyai',
    file: 'assemblyai/transcript-completed.json',
    submitted: {
      ask: (baseUrl, apiKey) =>
        new AssemblyAI({ baseUrl, apiKey }).transcripts.submit({
          audio_url: 'https://sounds.example/a.mp3',
          speech_models: ['universal'],
        }),
      answer: { id: TRANSCRIPT, status: 'queued', audio_duration: null },
    },
    ask: (baseUrl, apiKey) => new AssemblyAI({ baseUrl, apiKey }).transcripts.waitUntilReady(TRANSCRIPT),
    parsed: { id: TRANSCRIPT, status: 'completed', audio_duration: 281, words: { length: 15 } },
    // $0.15 an hour.
    micros: withMargin(Math.round((150_000_000 * 281) / 3_600)),
  },
  {
    ...EXECUTED,
    sdk: '@composio/core',
    ask: (baseURL, apiKey) =>
      new Composio({ baseURL, apiKey, ...QUIET })
        .getClient()
        .tools.execute('GITHUB_GET_THE_AUTHENTICATED_USER', USER_AND_ARGUMENTS),
  },
  {
    ...EXECUTED,
    sdk: '@composio/client',
    ask: (baseURL, apiKey) =>
      new ComposioClient({ baseURL, apiKey }).tools.execute(
        'GITHUB_GET_THE_AUTHENTICATED_USER',
        USER_AND_ARGUMENTS,
      ),
  },
  {
    ...SENT,
    sdk: 'grammy',
    ask: (apiRoot, key) => new Bot(key, { client: { apiRoot } }).api.sendMessage(1, 'hi'),
  },
  {
    ...SENT,
    sdk: 'telegraf',
    ask: (root, key) =>
      new Telegraf(key, { telegram: { apiRoot: `${root}/` } }).telegram.sendMessage(1, 'hi'),
  },
  {
    ...CHAT_OF_TOOLS,
    sdk: 'ai with @ai-sdk/openai',
    ask: (root, apiKey) => streamedText(createOpenAI({ baseURL: `${root}/v1`, apiKey }).chat('gpt-4o')),
    parsed: {
      tools: [{ toolName: 'add' }, { toolName: 'multiply' }],
      inputTokens: 106,
      outputTokens: 50,
    },
  },
  {
    ...TOOL_USE,
    sdk: 'ai with @ai-sdk/anthropic',
    ask: (root, apiKey) =>
      streamedText(createAnthropic({ baseURL: `${root}/v1`, apiKey })('claude-sonnet-4-20250514')),
    parsed: { inputTokens: 394, outputTokens: 67 },
  },
  {
    ...THOUGHTS,
    sdk: 'ai with @ai-sdk/google',
    ask: (root, apiKey) =>
      streamedText(createGoogle({ baseURL: `${root}/v1beta`, apiKey })('gemini-2.5-flash')),
    parsed: { text: 'Olá!', inputTokens: 11, outputTokens: 23 },
  },
];

/** The same of Python, which answers once it runs. */
export const SERVED_TO_PYTHON = [
  { ...CACHED_CHAT, sdk: 'openai of Python', client: 'openai', what: 'whole', model: 'gpt-4o' } as const,
  {
    ...TOOL_USE,
    sdk: 'anthropic of Python',
    client: 'anthropic',
    what: 'tool',
    model: 'claude-sonnet-4-20250514',
    parsed: { usage: { input_tokens: 394, output_tokens: 67 } },
  } as const,
].map(({ client, what, model, ...served }) => ({
  ...served,
  asked: (python: Promise<Python>) => async (root: string, key: string) =>
    (await python).ask(client, what, model, root, key),
}));
