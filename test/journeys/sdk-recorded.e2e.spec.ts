import { readFileSync } from 'node:fs';
import path from 'node:path';
import Anthropic from '@anthropic-ai/sdk';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import OpenAI from 'openai';
import { recordingsFolder } from '../conformance/recordings-folder.js';
import { type ReplayUpstream, startReplayUpstream } from '../conformance/replay-upstream.js';
import { type ProductUnderTest, productForTests } from '../harness/index.js';

const folder = recordingsFolder('RECORDED ANSWERS FOR THE SDKS');
const SEED = 20_261_121;
const expected = JSON.parse(
  readFileSync(path.join(import.meta.dirname, '..', 'conformance', 'expected-micros.json'), 'utf8'),
) as Record<string, { micros: number }>;

interface Clients {
  openai: OpenAI;
  anthropic: Anthropic;
}

const MESSAGES = [{ role: 'user' as const, content: 'Hello' }];

/** One recorded answer, the SDK call that it belongs to, and what the SDK must have made of it. */
const SERVED: { file: string; ask: (clients: Clients) => Promise<unknown>; parsed: object }[] = [
  {
    file: 'openai/chat-cached-gpt4o.json',
    ask: ({ openai }) => openai.chat.completions.create({ model: 'gpt-4o', messages: MESSAGES }),
    parsed: { usage: { prompt_tokens: 1220, completion_tokens: 100 } },
  },
  {
    file: 'openai/chat-stream-tools-usage-gpt4o.sse.txt',
    ask: ({ openai }) =>
      openai.chat.completions
        .stream({ model: 'gpt-4o', messages: MESSAGES, stream_options: { include_usage: true } })
        .finalChatCompletion(),
    parsed: {
      choices: [
        { message: { tool_calls: [{ function: { name: 'add' } }, { function: { name: 'multiply' } }] } },
      ],
      usage: { prompt_tokens: 106, completion_tokens: 50 },
    },
  },
  {
    file: 'openai/responses-stream-non-ascii.sse.txt',
    ask: ({ openai }) => openai.responses.stream({ model: 'gpt-4o', input: 'Hello' }).finalResponse(),
    parsed: { usage: { input_tokens: 10, output_tokens: 41 } },
  },
  {
    file: 'anthropic/stream-tool-use.sse.txt',
    ask: ({ anthropic }) =>
      anthropic.messages
        .stream({ model: 'claude-sonnet-4-20250514', max_tokens: 100, messages: MESSAGES })
        .finalMessage(),
    parsed: { stop_reason: 'tool_use', usage: { input_tokens: 394, output_tokens: 67 } },
  },
  {
    file: 'anthropic/message-opus5-thinking.json',
    ask: ({ anthropic }) =>
      anthropic.messages.create({ model: 'claude-opus-5', max_tokens: 4096, messages: MESSAGES }),
    parsed: { usage: { input_tokens: 13, output_tokens: 44 } },
  },
];

(folder ? describe : describe.skip)('a recorded answer of the real provider', () => {
  let product: ProductUnderTest;
  let upstream: ReplayUpstream;

  beforeAll(async () => {
    upstream = await startReplayUpstream(SEED);
    product = await productForTests({ upstreams: { openai: upstream.url, anthropic: upstream.url } });
  });
  afterAll(async () => {
    await product?.stop();
    await upstream?.stop();
  });

  it.each(SERVED)(
    '$file is to its SDK what it is without us, and is charged by hand',
    async ({ file, ask, parsed }) => {
      const { tenantId, key } = await ownConnections(product);
      upstream.play({
        status: 200,
        contentType: file.endsWith('.sse.txt') ? 'text/event-stream; charset=utf-8' : 'application/json',
        body: readFileSync(path.join(folder ?? '', file)),
      });
      const answer = await ask(clients(product.proxyUrl('openai'), product.proxyUrl('anthropic'), key));
      expect(answer).toMatchObject(parsed);
      const credentials = upstream
        .requests()
        .map(({ headers }) => headers.authorization ?? headers['x-api-key']);
      expect(credentials).toEqual([file.startsWith('openai') ? 'Bearer sk-real' : 'sk-real']);
      expect(answer).toEqual(await ask(clients(upstream.url, upstream.url, 'sk-direct')));

      const micros = expected[file]?.micros;
      const [event] = await product.waitUntil(async () => {
        const events = await product.admin.usageEvents(tenantId);
        return events.length > 0 && events;
      }, 'the usage event');
      expect(event).toMatchObject({ cost_micros: micros, outcome: 'completed', evidence: 'exact' });
      await product.settled(tenantId);
      expect(await product.billing(key).usage('day')).toMatchObject({ total_micros: micros, calls: 1 });
    },
  );
});

/** A tenant with credentials of its own at both providers. */
async function ownConnections({ admin }: ProductUnderTest): Promise<{ tenantId: string; key: string }> {
  const { id: tenantId } = await admin.createTenant();
  await admin.credit(tenantId, 10_000_000);
  const { id: appId, key } = await admin.createApp(tenantId);
  for (const provider of ['openai', 'anthropic']) {
    const { id } = await admin.connect(tenantId, provider, 'byok_static', 'sk-real');
    await admin.bind(appId, provider, id);
  }
  return { tenantId, key };
}

function clients(openaiUrl: string, anthropicUrl: string, apiKey: string): Clients {
  return {
    openai: new OpenAI({ baseURL: `${openaiUrl}/v1`, apiKey }),
    anthropic: new Anthropic({ baseURL: anthropicUrl, apiKey }),
  };
}
