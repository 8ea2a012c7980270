import { beforeAll, expect, it, jest } from '@jest/globals';
import { AssemblyAI } from 'assemblyai';
import { HEARD } from '../../../apps/sandbox/src/media.js';
import type { RateRow } from '../../harness/admin-client.js';
import { withMargin } from '../charge-by-hand.js';
import type { Outside } from './outside.js';
import type { Bill, Given, SdkProduct } from './product.js';

const MODEL = 'universal-3-pro';
/** Of MODEL, in thousandths of a micro-USD. */
const HOUR = 210_000_000;
/** Complete at the fourth question, whoever asks. */
const SLOW = 'sandbox-polls4-seconds90';
const FAILING = 'sandbox-polls1-failed';
const REFUSED = 'sandbox-status401';
const LINK = 'https://sounds.example/a.mp3';
/** 4.2 s, of which the sandbox makes 5. */
const SOUND = new Uint8Array(67_200);
const QUICKLY = { pollingInterval: 20 };

/** Models of the sandbox that these stories need a price of. */
export const ASSEMBLYAI_RATES: RateRow[] = [SLOW, FAILING, REFUSED].map((model) => ({
  provider: 'assemblyai',
  model,
  meter: 'audio_seconds',
  unit_cost_usd: '0.21',
  per: '3600',
}));

/** `baseUrl` and `apiKey`: the SDK reads no variable for either. */
export function assemblyaiStories(given: Given, outside: () => Outside): void {
  let product: SdkProduct;
  beforeAll(() => {
    product = given();
  });

  const sdkOf = ({ key }: { key: string }) =>
    new AssemblyAI({ apiKey: key, baseUrl: product.proxyUrl('assemblyai') });

  it('uploads a sound, waits for its transcript, and is charged for its seconds once', async () => {
    const user = await product.sdkUser('assemblyai');
    const { transcripts } = sdkOf(user);
    const transcript = await transcripts.transcribe({ audio: SOUND, speech_models: [MODEL] }, QUICKLY);
    expect(transcript).toMatchObject({ status: 'completed', text: HEARD, audio_duration: 5 });
    expect(transcript.speech_model_used).toBe(MODEL);
    expect(transcript.words?.map(({ text }) => text).join(' ')).toBe(HEARD);
    expect(transcript.words?.at(-1)?.end).toBe(5_000);
    expect(await transcripts.get(transcript.id)).toEqual(transcript);
    expect((await transcripts.sentences(transcript.id)).sentences).toMatchObject([{ text: HEARD }]);
    expect(await transcripts.subtitles(transcript.id)).toContain('00:00:05,000');
    await product.expectOneBill(user, seconds(5));
  });

  it('pays nothing for a transcript that failed, of which the SDK throws nothing', async () => {
    const user = await product.sdkUser('assemblyai');
    const params = { audio_url: LINK, speech_models: [FAILING] };
    const transcript = await sdkOf(user).transcripts.transcribe(params, QUICKLY);
    expect(transcript).toMatchObject({ status: 'error', error: 'The audio could not be decoded.' });
    await product.expectOneBill(user, { quantities: {}, micros: 0, outcome: 'upstream_error' });
  });

  it('is charged once by the question of the gateway when it waits no longer', async () => {
    const user = await product.sdkUser('assemblyai');
    const { transcripts } = sdkOf(user);
    const { id } = await transcripts.submit({ audio_url: LINK, speech_models: [SLOW] });
    const waiting = transcripts.waitUntilReady(id, { ...QUICKLY, pollingTimeout: 1 });
    await expect(waiting).rejects.toThrow('Polling timeout');
    expect(await product.admin.openHolds(user.tenantId)).toHaveLength(1);

    // The provider gets done without a word to the gateway, which asks by itself 10 s after the submit.
    const direct = new AssemblyAI({ apiKey: 'sk-direct', baseUrl: outside().url });
    expect(await direct.transcripts.waitUntilReady(id, QUICKLY)).toMatchObject({ audio_duration: 90 });
    await product.settled(user.tenantId, 60_000);
    expect(await transcripts.get(id)).toMatchObject({ status: 'completed', text: HEARD });
    await product.expectOneBill(user, seconds(90));
  });

  it.each([
    {
      what: "the provider's 401 with its text",
      ask: ({ transcripts }: AssemblyAI) =>
        transcripts.transcribe({ audio_url: LINK, speech_models: [REFUSED] }),
      message: 'Authentication error, API token missing/invalid',
      answer: { status: 401, code: null },
    },
    {
      what: 'our 402, whose code is in its body alone',
      ask: ({ transcripts }: AssemblyAI) =>
        transcripts.transcribe({ audio_url: LINK, speech_models: ['universal-99'] }),
      message: '[object Object]',
      answer: { status: 402, code: null },
    },
    {
      what: 'our 404 of a transcript that is not its own, whose code is in its header',
      ask: ({ transcripts }: AssemblyAI) => transcripts.get('transcript-of-somebody'),
      message: '[object Object]',
      answer: { status: 404, code: 'object_not_found' },
    },
    {
      what: 'our 404 of the list, whose code is in its header',
      ask: ({ transcripts }: AssemblyAI) => transcripts.list(),
      message: '[object Object]',
      answer: { status: 404, code: 'route_not_supported' },
    },
  ])('throws an Error for $what', async ({ ask, message, answer }) => {
    const user = await product.sdkUser('assemblyai');
    const sdk = sdkOf(user);
    // The SDK keeps nothing of an answer but the text of its error.
    const fetched = jest.spyOn(globalThis, 'fetch');
    const thrown = await ask(sdk).catch((error: unknown) => error);
    const [response, ...more] = await Promise.all(
      fetched.mock.results.map(({ value }) => value as Promise<Response>),
    );
    fetched.mockRestore();
    expect(thrown).toEqual(new Error(message));
    expect(more).toEqual([]);
    expect({ status: response?.status, code: response?.headers.get('vendo-error-code') }).toEqual(answer);
    await product.expectNoCharge(user);
  });
}

function seconds(count: number): Bill {
  return { quantities: { audio_seconds: count }, micros: withMargin(Math.round((HOUR / 3_600) * count)) };
}
