// Over 400 lines: one table of what all providers sent.
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { formOf, framingOf, keysIn, type SandboxUnderTest, sandboxUnderTest } from './sandbox-under-test.js';

/** Real answers of the providers; laid beside the repository, not in it. */
const FOLDER = process.env.RECORDINGS_DIR ?? '../shared/recordings';
const THERE = existsSync(path.join(FOLDER, 'index.json'));
if (!THERE) process.stderr.write(`shapes: no recordings in ${FOLDER}, the sandbox was not compared\n`);

const MESSAGES = [{ role: 'user', content: 'Say hello' }];
const CONTENTS = [{ parts: [{ text: 'Say hello' }] }];
const SOUND = (model: string, more: Record<string, string> = {}) => formOf({ model, ...more }, 1_000);
const ECHO = { type: 'function', function: { name: 'echo', parameters: {} } };
const WEB = { type: 'web_search_20250305', name: 'web_search' };

interface Compared {
  recording: string;
  /** Path in the sandbox; its first segment names the provider. */
  ask: string;
  body?: unknown;
  /** What is compared, in a JSON answer or in the data of its last event that has it. */
  at: string;
  /** Keys that the recording lacks or has more of, and why that is right. */
  but?: readonly string[];
}

const CHAT = '/openai/v1/chat/completions';
const chat = (model: string) => ({
  model,
  messages: MESSAGES,
  stream: true,
  stream_options: { include_usage: true },
});
const message = (model: string, more: object = {}) => ({ model, max_tokens: 9, messages: MESSAGES, ...more });
const routed = (model: string, more: object = {}) => ({ model, messages: MESSAGES, ...more });
const gemini = (method: string) => `/gemini/v1beta/models/${method}`;

const JSON_AND_USAGE: readonly Compared[] = [
  {
    recording: 'openai/chat-cached-gpt4o.json',
    ask: CHAT,
    body: { model: 'gpt-4o', messages: MESSAGES },
    at: '',
  },
  {
    recording: 'openai/chat-stream-tools-usage-gpt4o.sse.txt',
    ask: CHAT,
    body: { ...chat('gpt-4o'), tools: [ECHO], tool_choice: 'required' },
    at: 'choices.0.delta.tool_calls.0',
  },
  {
    recording: 'openai/responses-stream-non-ascii.sse.txt',
    ask: '/openai/v1/responses',
    body: { model: 'gpt-4o', input: 'a', stream: true },
    at: 'response.output',
  },
  {
    recording: 'anthropic/message-chinese-tools.json',
    ask: '/anthropic/v1/messages',
    body: message('m', {
      tools: [{ name: 'echo', input_schema: {} }],
      tool_choice: { type: 'tool', name: 'echo' },
    }),
    at: 'content.0',
    // What the tool takes.
    but: ['.input.coat_required', '.input.recommendation', '.input.weather'],
  },
  {
    recording: 'anthropic/stream-tool-use.sse.txt',
    ask: '/anthropic/v1/messages',
    body: message('m', { stream: true }),
    at: 'message',
  },
  {
    recording: 'openrouter/chat-cache-read-and-write.json',
    ask: '/openrouter/api/v1/chat/completions',
    body: routed('m'),
    at: '',
  },
  {
    recording: 'gemini/stream-thoughts-crlf.sse.txt',
    ask: gemini('sandbox-reasoning9:streamGenerateContent?alt=sse'),
    body: { contents: CONTENTS },
    at: '',
    // Streams of 2025 did not tell the tier yet.
    but: ['.usageMetadata.serviceTier'],
  },
  {
    recording: 'openai/chat-stream-usage-reasoning-gpt5.sse.txt',
    ask: CHAT,
    body: chat('gpt-5'),
    at: 'usage',
  },
  {
    recording: 'openai/completions-legacy.json',
    ask: '/openai/v1/completions',
    body: { model: 'm', prompt: 'a' },
    at: '',
  },
  {
    recording: 'openai/responses-compact.json',
    ask: '/openai/v1/responses/compact',
    body: { model: 'm', input: MESSAGES },
    at: '',
  },
  {
    recording: 'openai/responses-input-tokens-free.json',
    ask: '/openai/v1/responses/input_tokens',
    body: { input: 'a' },
    at: '',
  },
  {
    recording: 'openai/responses-websearch.json',
    ask: '/openai/v1/responses',
    body: { model: 'm', input: 'a', tools: [{ type: 'web_search' }] },
    at: 'tool_usage',
  },
  {
    recording: 'openai/responses-stream-file-search.sse.txt',
    ask: '/openai/v1/responses',
    body: { model: 'm', input: 'a', stream: true, tools: [{ type: 'file_search' }] },
    at: 'response.usage',
  },
  {
    recording: 'openai/moderation-no-usage.json',
    ask: '/openai/v1/moderations',
    body: { input: 'a' },
    at: '',
  },
  {
    recording: 'openai/transcription-whisper-duration.json',
    ask: '/openai/v1/audio/transcriptions',
    body: SOUND('whisper-1'),
    at: '',
  },
  {
    recording: 'openai/translation-no-usage.json',
    ask: '/openai/v1/audio/translations',
    body: SOUND('whisper-1'),
    at: '',
  },
  {
    recording: 'openai/transcription-stream-tokens-crlf.sse.txt',
    ask: '/openai/v1/audio/transcriptions',
    body: SOUND('gpt-4o-transcribe', { stream: 'true' }),
    at: 'usage',
  },
  {
    recording: 'openai/image-dalle2-no-usage.json',
    ask: '/openai/v1/images/generations',
    body: { model: 'dall-e-2', prompt: 'a' },
    at: '',
  },
  {
    recording: 'anthropic/count-tokens-free.json',
    ask: '/anthropic/v1/messages/count_tokens',
    body: message('m'),
    at: '',
  },
  {
    recording: 'anthropic/message-cache-write-1h.json',
    ask: '/anthropic/v1/messages',
    body: message('m'),
    at: 'usage',
  },
  {
    recording: 'anthropic/message-web-search-thinking.json',
    ask: '/anthropic/v1/messages',
    body: message('sandbox-reasoning1', { tools: [WEB] }),
    at: 'usage',
  },
  {
    recording: 'anthropic/stream-web-search.sse.txt',
    ask: '/anthropic/v1/messages',
    body: message('m', { stream: true, tools: [WEB] }),
    at: 'usage',
  },
  {
    recording: 'anthropic/message-compaction-iterations.json',
    ask: '/anthropic/v1/messages',
    body: message('sandbox-compaction9'),
    at: 'usage.iterations',
  },
  {
    recording: 'anthropic/error-401.json',
    ask: '/anthropic/v1/messages',
    body: message('sandbox-status401'),
    at: '',
  },
  {
    recording: 'openrouter/chat-byok-zero-cost-whitespace-prefix.json',
    ask: '/openrouter/api/v1/chat/completions',
    body: routed('sandbox-byok'),
    at: '',
    // Not every provider behind it has tiers.
    but: ['.service_tier'],
  },
  {
    recording: 'openrouter/chat-stream-comments-cost.sse.txt',
    ask: '/openrouter/api/v1/chat/completions',
    body: routed('m', { stream: true }),
    at: '',
  },
  {
    recording: 'openrouter/chat-stream-web-search-plugin.sse.txt',
    ask: '/openrouter/api/v1/chat/completions',
    body: routed('m', { stream: true, plugins: [{ id: 'web' }] }),
    at: 'usage',
  },
  {
    recording: 'openrouter/embeddings-cost.json',
    ask: '/openrouter/api/v1/embeddings',
    body: { model: 'm', input: 'a' },
    at: '',
  },
  {
    recording: 'openrouter/error-401.json',
    ask: '/openrouter/api/v1/embeddings',
    body: { model: 'sandbox-status401' },
    at: '',
  },
  {
    recording: 'gemini/message-explicit-cache.json',
    ask: gemini('sandbox-cached9-reasoning9:generateContent'),
    body: { contents: CONTENTS },
    at: '',
  },
  {
    recording: 'gemini/message-max-tokens-no-candidates-count.json',
    ask: gemini('sandbox-reasoning9:generateContent'),
    body: { contents: CONTENTS, generationConfig: { maxOutputTokens: 2 } },
    at: '',
  },
  {
    recording: 'gemini/tts-audio-output.json',
    ask: gemini('m:generateContent'),
    body: { contents: CONTENTS, generationConfig: { responseModalities: ['AUDIO'] } },
    at: '',
  },
  {
    recording: 'gemini/stream-url-context-tool-use-tokens.sse.txt',
    ask: gemini('sandbox-reasoning9:streamGenerateContent?alt=sse'),
    body: { contents: CONTENTS, tools: [{ urlContext: {} }] },
    at: 'usageMetadata',
    // Streams of 2025 did not tell the tier yet.
    but: ['.serviceTier'],
  },
  {
    recording: 'gemini/count-tokens-free.json',
    ask: gemini('m:countTokens'),
    body: { contents: CONTENTS },
    at: '',
  },
  {
    recording: 'gemini/embed-batch-no-usage.json',
    ask: gemini('gemini-embedding-001:batchEmbedContents'),
    body: { requests: [{ content: CONTENTS[0] }] },
    at: '',
  },
  {
    recording: 'gemini/embed-image-usage-modalities.json',
    ask: gemini('gemini-embedding-2:batchEmbedContents'),
    body: { requests: [{ content: CONTENTS[0] }] },
    at: '',
  },
  {
    recording: 'gemini/interactions-message.json',
    ask: '/gemini/v1beta/interactions',
    body: { model: 'sandbox-reasoning9', input: 'Say hello' },
    at: '',
  },
  {
    recording: 'gemini/openai-compat-hidden-thinking.json',
    ask: '/gemini/v1beta/openai/chat/completions',
    body: routed('m'),
    at: 'usage',
  },
  {
    recording: 'elevenlabs/stt-no-duration-field.json',
    ask: '/elevenlabs/v1/speech-to-text',
    body: formOf({ model_id: 'sandbox-nousage' }, 1_000),
    at: '',
    // The API of 2025 gave no id.
    but: ['.transcription_id'],
  },
  { recording: 'assemblyai/upload.json', ask: '/assemblyai/v2/upload', body: {}, at: '' },
  { recording: 'muapi/submit-processing.json', ask: '/muapi/api/v1/flux', body: {}, at: '' },
  {
    recording: 'composio/execute-success.json',
    ask: '/composio/api/v3.1/tools/execute/A_B',
    body: {},
    at: '',
    but: ['.data.tool', '.data.arguments', '.data.id'],
  },
  {
    recording: 'composio/error-429.json',
    ask: '/composio/api/v3.1/tools/execute/SANDBOX_STATUS429',
    body: {},
    at: '',
  },
  {
    recording: 'telegram/send-message-ok.json',
    ask: '/telegram/bot1:secret/sendMessage',
    body: { chat_id: 1, text: 'hi' },
    at: '',
    // The recording is made up from the least that the documents promise.
    but: [
      '.result.from',
      '.result.from.first_name',
      '.result.from.id',
      '.result.from.is_bot',
      '.result.from.username',
      '.result.chat.first_name',
    ],
  },
];

/** Streams, as they are framed: line ends, comments, names of events, and how they end. */
const FRAMED: readonly { recording: string; ask: string; body: unknown }[] = [
  { recording: 'openai/chat-stream-usage-reasoning-gpt5.sse.txt', ask: CHAT, body: chat('gpt-5') },
  {
    recording: 'openai/responses-stream-file-search.sse.txt',
    ask: '/openai/v1/responses',
    body: { model: 'm', input: 'a', stream: true, tools: [{ type: 'file_search' }] },
  },
  {
    recording: 'openai/transcription-stream-tokens-crlf.sse.txt',
    ask: '/openai/v1/audio/transcriptions',
    body: SOUND('gpt-4o-transcribe', { stream: 'true' }),
  },
  {
    recording: 'anthropic/stream-web-search.sse.txt',
    ask: '/anthropic/v1/messages',
    body: message('m', { stream: true, tools: [WEB] }),
  },
  {
    recording: 'openrouter/chat-stream-comments-cost.sse.txt',
    ask: '/openrouter/api/v1/chat/completions',
    body: routed('m', { stream: true }),
  },
  {
    recording: 'gemini/stream-thoughts-crlf.sse.txt',
    ask: gemini('m:streamGenerateContent?alt=sse'),
    body: { contents: CONTENTS },
  },
];

(THERE ? describe : describe.skip)('beside what the providers really sent', () => {
  let sandbox: SandboxUnderTest;
  beforeAll(async () => {
    sandbox = await sandboxUnderTest({
      authorization: 'Bearer k',
      'x-api-key': 'k',
      'xi-api-key': 'k',
      'x-goog-api-key': 'k',
    });
  });
  afterAll(() => sandbox.close());

  const textOf = async (ask: string, body: unknown) => (await sandbox.post(ask, body)).text();
  const recorded = (file: string) => readFileSync(path.join(FOLDER, file), 'utf8');

  it.each(JSON_AND_USAGE)('$recording: the keys of "$at"', async ({ recording, ask, body, at, but = [] }) => {
    const keys = (text: string) => keysIn(found(text, at)).filter((key) => !but.includes(key));
    const theirs = keys(recorded(recording));
    expect(theirs).not.toEqual([]);
    expect(keys(await textOf(ask, body))).toEqual(theirs);
  });

  it.each(FRAMED)('$recording: its framing', async ({ recording, ask, body }) => {
    const { ending, comments, names, data } = framingOf(recorded(recording));
    const ours = framingOf(await textOf(ask, body));
    expect([ours.ending, ours.comments, ours.data.at(-1) === '[DONE]']).toEqual([
      ending,
      comments,
      data.at(-1) === '[DONE]',
    ]);
    // Annotations are not made here.
    const known = names.filter((name) => !name.includes('annotation'));
    expect([...ours.names].sort()).toEqual([...known].sort());
  });

  it('gemini/stream-json-array-alias-model.json: what stands between its elements', async () => {
    const separators = (text: string) => [...new Set(text.match(/\n\}\n[^{\]]*[{\]]/g))].sort();
    const ours = await textOf(gemini('m:streamGenerateContent'), { contents: CONTENTS });
    expect(separators(ours)).toEqual(separators(recorded('gemini/stream-json-array-alias-model.json')));
  });

  it.each([
    [
      'assemblyai/transcript-completed.json',
      '/assemblyai/v2/transcript',
      { audio_url: 'a', speech_model: 'sandbox-polls1' },
    ],
    ['muapi/result-completed.json', '/muapi/api/v1/sandbox-polls1', {}],
  ])('%s: the keys of a job that is done', async (recording, ask, body) => {
    const { id, request_id } = JSON.parse(await textOf(ask, body));
    const poll = request_id ? `/muapi/api/v1/predictions/${request_id}/result` : `${ask}/${id}`;
    const ours = Object.keys(await (await sandbox.get(poll)).json());
    // What has been renamed since the example was written.
    const later = ['speech_model_used', 'speech_models'];
    expect(ours.filter((key) => !later.includes(key)).sort()).toEqual(
      Object.keys(JSON.parse(recorded(recording))).sort(),
    );
  });

  it('openrouter/models-list-free.json: what a price is read from', async () => {
    const [theirs, ours] = [
      JSON.parse(recorded('openrouter/models-list-free.json')),
      await (await sandbox.get('/openrouter/api/v1/models')).json(),
    ];
    expect(Object.keys(ours).sort()).toEqual(Object.keys(theirs).sort());
    const known = theirs.data.flatMap((model: object) => Object.keys(model));
    expect(Object.keys(ours.data[0]).filter((key) => !known.includes(key))).toEqual([]);
    const priced = theirs.data.flatMap(({ pricing }: { pricing: object }) => Object.keys(pricing));
    expect(Object.keys(ours.data[0].pricing).filter((key) => !priced.includes(key))).toEqual([]);
  });
});

/** The value at a path of a JSON answer, or of the last event that has it. */
function found(text: string, at: string): unknown {
  const bodies = /^\s*(?::|data:|event:)/.test(text)
    ? framingOf(text).data.filter((data) => data !== '[DONE]')
    : [text];
  const values = bodies.map((body) =>
    at === '' ? JSON.parse(body) : at.split('.').reduce((value, key) => value?.[key], JSON.parse(body)),
  );
  return values.findLast((value) => value !== undefined && value !== null);
}
