import { readFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type ProductUnderTest, productForTests } from '../harness/index.js';
import { recordingsFolder } from './recordings-folder.js';
import { type ReplayUpstream, startReplayUpstream } from './replay-upstream.js';

/** The part of the recordings' index that this suite reads. */
interface Recording {
  file: string;
  provider: 'openai' | 'anthropic';
  endpoint: string;
  method: 'GET' | 'POST';
  status: number;
  content_type?: string;
  stream?: boolean;
  expected_billable: Record<string, number | boolean>;
  request_hints?: Record<string, unknown>;
  class: string;
  ask_model: string;
  scope: string;
}

const folder = recordingsFolder('CONFORMANCE');
const core = folder
  ? (JSON.parse(readFileSync(path.join(folder, 'index.json'), 'utf8')) as Recording[]).filter(
      ({ scope }) => scope === 'core',
    )
  : [];
const expected = JSON.parse(
  readFileSync(path.join(import.meta.dirname, 'expected-micros.json'), 'utf8'),
) as Record<string, { micros: number }>;
const CREDIT_MICROS = 1_000_000_000;
const seed = Number(process.env.CONFORMANCE_SEED ?? Date.now() % 1_000_000);

/** They tell about the account behind the gateway; the replay sends all of them. */
const ACCOUNT_HEADERS = [
  'set-cookie',
  'openai-organization',
  'anthropic-organization-id',
  'x-ratelimit-remaining-requests',
];

/** Which meters make up which bucket of the index. */
const BUCKETS: Record<string, readonly string[]> = {
  input: ['input_tokens', 'audio_input_tokens'],
  cache_read: ['cache_read_tokens'],
  cache_write: ['cache_write_tokens'],
  cache_write_5m: ['cache_write_tokens'],
  cache_write_1h: ['cache_write_1h_tokens'],
  output: ['output_tokens', 'audio_output_tokens', 'reasoning_tokens'],
  of_which_audio_input: ['audio_input_tokens'],
};

(folder ? describe : describe.skip)(
  `every core recording, in random chunks (CONFORMANCE_SEED=${seed})`,
  () => {
    let product: ProductUnderTest;
    let upstream: ReplayUpstream;
    let key: string;
    let tenantId: string;
    let metered = 0;
    let charged = 0;
    const results = new Map<string, { passed: number; of: number }>();

    beforeAll(async () => {
      upstream = await startReplayUpstream(seed);
      product = await productForTests({ upstreams: { openai: upstream.url, anthropic: upstream.url } });
      const tenant = await product.admin.createTenant('conformance');
      tenantId = tenant.id;
      await product.admin.credit(tenantId, CREDIT_MICROS);
      const app = await product.admin.createApp(tenantId, 'conformance');
      key = app.key;
      for (const provider of ['openai', 'anthropic']) {
        const connection = await product.admin.connect(
          tenantId,
          provider,
          'byok_static',
          `sk-real-${provider}`,
        );
        await product.admin.bind(app.id, provider, connection.id);
      }
      // The one model of the recordings that no price list names any more.
      await product.admin.importRates([
        {
          provider: 'anthropic',
          model: 'claude-3-5-sonnet',
          meter: 'input_tokens',
          unit_cost_usd: '3',
          per: '1000000',
        },
        {
          provider: 'anthropic',
          model: 'claude-3-5-sonnet',
          meter: 'output_tokens',
          unit_cost_usd: '15',
          per: '1000000',
        },
      ]);
      await product.ratesAreIn('anthropic', 'claude-3-5-sonnet', key);
    }, 60_000);

    afterAll(async () => {
      for (const [kind, { passed, of }] of results)
        process.stdout.write(`conformance ${kind}: ${passed}/${of}\n`);
      await product?.stop();
      await upstream?.stop();
    }, 30_000);

    const cases = core.flatMap((recording) =>
      ([undefined, 'gzip', 'br'] as const).map((encoding) => ({
        recording,
        encoding,
        title: `${recording.file} ${encoding ?? 'plain'}`,
      })),
    );

    it.each(cases)('$title', async ({ recording, encoding }) => {
      const kind = `${recording.provider} ${recording.stream ? 'stream' : 'whole'}`;
      const tally = results.get(kind) ?? { passed: 0, of: 0 };
      results.set(kind, tally);
      tally.of += 1;

      const body = readFileSync(path.join(folder ?? '', recording.file));
      upstream.play({
        status: recording.status,
        contentType: recording.content_type ?? (recording.stream ? 'text/event-stream' : 'application/json'),
        body,
        ...(encoding ? { encoding } : {}),
      });
      const endpoint = new URL(recording.endpoint);
      const answer = await product.raw({
        method: recording.method,
        path: `/proxy/${recording.provider}${endpoint.pathname}${endpoint.search}`,
        headers: {
          authorization: `Bearer ${key}`,
          'content-type': 'application/json',
          'accept-encoding': 'gzip, br',
        },
        ...(recording.method === 'POST'
          ? { body: JSON.stringify(requestFor(recording, endpoint.pathname)) }
          : {}),
      });

      if (recording.class === 'no_rate') {
        expect(answer.status).toBe(402);
        expect(JSON.parse(answer.body.toString())).toMatchObject({ error: { code: 'rate_missing' } });
        expect(upstream.requests()).toEqual([]);
        tally.passed += 1;
        return;
      }
      expect(answer.status).toBe(recording.status);
      expect(answer.body.equals(upstream.sent())).toBe(true);
      expect(answer.decodedBody.equals(body)).toBe(true);
      for (const header of ACCOUNT_HEADERS) expect(answer.headers[header]).toBeUndefined();
      const [request, ...more] = upstream.requests();
      expect(more).toEqual([]);
      expect(answer.headers['x-request-id']).toBe(request?.id);
      expect(request?.headers[recording.provider === 'openai' ? 'authorization' : 'x-api-key']).toBe(
        recording.provider === 'openai' ? 'Bearer sk-real-openai' : 'sk-real-anthropic',
      );
      expect(JSON.stringify(request?.headers)).not.toContain('vendo_sk_');

      const billable = recording.expected_billable;
      if (billable.free === true || recording.status >= 400) {
        tally.passed += 1;
        return;
      }
      const event = await product.waitUntil(async () => {
        const events = await product.admin.usageEvents(tenantId);
        return events.find(({ upstream_request_id }) => upstream_request_id === request?.id);
      }, 'the usage event');
      expect(event.cost_micros).toBe(expected[recording.file]?.micros);
      expect(event.lines.reduce((sum, { cost_micros }) => sum + cost_micros, 0)).toBe(event.cost_micros);
      metered += 1;
      charged += event.cost_micros;
      const unreported = billable.billed === false || billable.needs_estimate === true;
      expect(event.evidence).toBe(unreported ? 'estimated' : 'exact');
      expect(event.outcome).toBe(billable.billed === false ? 'upstream_error' : 'completed');
      if (unreported) {
        expect(event.lines).toEqual([]);
      } else {
        for (const [bucket, meters] of Object.entries(BUCKETS)) {
          const measured = event.lines
            .filter(({ meter }) => meters.includes(meter))
            .reduce((sum, { quantity }) => sum + Number(quantity), 0);
          if (bucket in billable)
            expect({ bucket, measured }).toEqual({ bucket, measured: billable[bucket] });
        }
      }
      tally.passed += 1;
    });

    it('charged the sum of all of it, and nothing for what was free or refused', async () => {
      await product.settled(tenantId);
      const left = CREDIT_MICROS - charged;
      await product.waitUntil(
        async () => (await product.billing(key).balance()).credits_remaining_micros === left,
        `a balance of ${left} micros`,
      );
      expect(await product.admin.usageEvents(tenantId)).toHaveLength(metered);
    });
  },
);

function requestFor(recording: Recording, pathname: string): Record<string, unknown> {
  const { input, ...hints } = recording.request_hints ?? {};
  const model = recording.ask_model;
  if (pathname === '/v1/embeddings') return { model, input: 'a text to embed', encoding_format: 'base64' };
  const text = typeof input === 'string' ? input : 'Hello';
  const stream = recording.stream ? { stream: true } : {};
  if (pathname === '/v1/responses') return { model, input: text, ...stream, ...hints };
  const messages = [{ role: 'user', content: text }];
  if (pathname === '/v1/messages') return { max_tokens: 1024, model, messages, ...stream, ...hints };
  return { model, messages, ...stream, ...hints };
}
