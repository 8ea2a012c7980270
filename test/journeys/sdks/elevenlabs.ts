import { type ElevenLabs, ElevenLabsClient, ElevenLabsError } from '@elevenlabs/elevenlabs-js';
import { beforeAll, expect, it } from '@jest/globals';
import type { RateRow } from '../../harness/admin-client.js';
import { withMargin } from '../charge-by-hand.js';
import { allOf, type Bill, type Given, type SdkProduct } from './product.js';

const VOICE = '21m00Tcm4TlvDq8ikWAM';
const PACED = 'sandbox-chunks30-pace20';
const REFUSED = 'sandbox-status401';
/** Of a character of eleven_multilingual_v2 and of a second of scribe_v1, in thousandths of a micro-USD. */
const CHARACTER = 100_000;
const HOUR_OF_SCRIBE = 220_000_000;
const BYTES_PER_SECOND = 16_000;

/** Models of the sandbox that these stories need a price of. */
export const ELEVENLABS_RATES: RateRow[] = [PACED, REFUSED].map((model) => ({
  provider: 'elevenlabs',
  model,
  meter: 'characters',
  unit_cost_usd: '0.1',
  per: '1000',
}));

/** `baseUrl`: the SDK reads no variable for it. */
export function elevenlabsStories(given: Given): void {
  let product: SdkProduct;
  beforeAll(() => {
    product = given();
  });

  const sdkOf = ({ key }: { key: string }) =>
    new ElevenLabsClient({ apiKey: key, baseUrl: product.proxyUrl('elevenlabs'), maxRetries: 0 });

  it('speaks, whole and streamed, and is charged by the character', async () => {
    for (const how of ['convert', 'stream'] as const) {
      const user = await product.sdkUser('elevenlabs');
      const text = `Olá mundo👋, ${how}`;
      const { data, rawResponse } = await sdkOf(user)
        .textToSpeech[how](VOICE, { text, modelId: 'eleven_multilingual_v2' })
        .withRawResponse();
      const direct = await new ElevenLabsClient({
        apiKey: 'direct',
        baseUrl: product.urls.sandbox,
      }).textToSpeech[how](VOICE, { text, modelId: 'eleven_multilingual_v2' });
      const bytes = await bytesOf(data);
      expect(bytes.length).toBeGreaterThan(1_000);
      expect(bytes.equals(await bytesOf(direct))).toBe(true);
      expect(rawResponse.headers.get('character-cost')).toBe(String([...text].length));
      await product.expectOneBill(user, characters(text));
    }
  });

  it('reads when each character is heard', async () => {
    const user = await product.sdkUser('elevenlabs');
    const text = 'Say it slowly';
    const stream = await sdkOf(user).textToSpeech.streamWithTimestamps(VOICE, { text });
    const heard: ElevenLabs.StreamingAudioChunkWithTimestampsResponse[] = [];
    for await (const chunk of stream) heard.push(chunk);
    expect(heard.flatMap(({ alignment }) => alignment?.characters ?? []).join('')).toBe(text);
    await product.expectOneBill(user, characters(text));
  });

  it('transcribes a file, and is charged by the second', async () => {
    const user = await product.sdkUser('elevenlabs');
    const seconds = 4.2;
    const file = new Blob([new Uint8Array(seconds * BYTES_PER_SECOND)], { type: 'audio/mpeg' });
    const answer = await sdkOf(user).speechToText.convert({ file, modelId: 'scribe_v1' });
    if (!('words' in answer)) throw new Error('the answer is no transcript');
    expect(answer.text).not.toBe('');
    expect(answer.words.at(-1)?.end).toBe(seconds);
    expect(answer.audioDurationSecs).toBe(seconds);
    await product.expectOneBill(user, {
      quantities: { audio_seconds: seconds },
      micros: withMargin(Math.round((HOUR_OF_SCRIBE / 3_600) * seconds)),
    });
  });

  it('lists voices for nothing', async () => {
    const user = await product.sdkUser('elevenlabs');
    const { voices } = await sdkOf(user).voices.search();
    expect(voices.map(({ voiceId }) => voiceId)).toContain(VOICE);
    await product.expectNoCharge(user);
  });

  it.each([
    { what: "the provider's 401", modelId: REFUSED, statusCode: 401, code: 'invalid_api_key' },
    { what: 'our 402', modelId: 'eleven_unheard_of', statusCode: 402, code: 'rate_missing' },
  ])('throws its ElevenLabsError for $what', async ({ modelId, statusCode, code }) => {
    const user = await product.sdkUser('elevenlabs');
    const thrown = await sdkOf(user)
      .textToSpeech.convert(VOICE, { text: 'x', modelId })
      .catch((error: unknown) => error);
    expect(thrown).toBeInstanceOf(ElevenLabsError);
    expect(thrown).toMatchObject({ statusCode });
    expect(JSON.stringify((thrown as ElevenLabsError).body)).toContain(`"${code}"`);
    await product.expectNoCharge(user);
  });

  it('pays for all characters when it aborts in the middle of the sound', async () => {
    const user = await product.sdkUser('elevenlabs');
    const text = 'Talk on while I walk away';
    const leaving = new AbortController();
    const sound = await sdkOf(user).textToSpeech.stream(
      VOICE,
      { text, modelId: PACED },
      { abortSignal: leaving.signal },
    );
    const reader = sound.getReader();
    expect((await reader.read()).value?.length).toBeGreaterThan(0);
    leaving.abort();
    await expect(readOn(reader)).rejects.toThrow(/abort/i);
    await product.expectOneBill(user, { ...characters(text), outcome: 'client_aborted' });
  });
}

/** Characters are owed, and known, as soon as the provider has accepted the request. */
function characters(text: string): Bill {
  const count = [...text].length;
  return { quantities: { characters: count }, micros: withMargin(count * CHARACTER), evidence: 'header' };
}

async function bytesOf(sound: ReadableStream<Uint8Array>): Promise<Buffer> {
  return Buffer.concat(await allOf(sound));
}

async function readOn(reader: ReadableStreamDefaultReader<Uint8Array>): Promise<void> {
  for (let done = false; !done; ) ({ done } = await reader.read());
}
