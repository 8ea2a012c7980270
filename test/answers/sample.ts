import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import type { MeteredRequest } from '../../apps/gateway/src/providers/provider.js';
import { PROVIDERS, providerBySlug } from '../../apps/gateway/src/providers/registry.js';
import { matchRoute } from '../../apps/gateway/src/providers/route-table.js';
import {
  askedBy,
  contentTypeOf,
  type Recording,
  readRecordings,
  targetOf,
} from '../conformance/recording.js';

/** A real or made answer of a metered route, with the request that it answers. */
export interface Sample {
  name: string;
  provider: string;
  contentType: string;
  bytes: Buffer;
  isEventStream: boolean;
  request: MeteredRequest;
  mayDrop: boolean;
  /** Real: its counts are those of its texts. */
  isRecorded: boolean;
}

/** Of the recordings, where there are some, and of the fixtures of the providers' folders. Media say nothing, and are left out. */
export async function readSamples(folder: string | null): Promise<Sample[]> {
  const recorded = readRecordings(folder)
    .filter(({ status, method }) => status < 300 && method === 'POST')
    .map((one) => sampleOf(one, path.join(folder ?? '', one.file), true));
  const made = fixtures().map(([one, file]) => sampleOf(one, file, false));
  const samples = await Promise.all([...recorded, ...made]);
  return samples.filter((sample) => sample !== null);
}

/** Null: no metered answer, or none that can be read. */
async function sampleOf(recording: Recording, file: string, isRecorded: boolean): Promise<Sample | null> {
  const provider = providerBySlug(recording.provider);
  if (!provider) return null;
  const raw = targetOf(recording, {});
  const target = provider.target?.(raw) ?? raw;
  const { route, params = {} } = matchRoute(provider, 'POST', target) ?? {};
  const contentType = contentTypeOf(recording);
  if (route?.class !== 'metered' || contentType.startsWith('audio/')) return null;
  const asked = askedBy(recording);
  const body = Buffer.from(asked.body);
  const request = await route.read({
    body,
    params,
    query: new URL(target, 'http://provider').searchParams,
    contentType: asked.contentType,
  });
  return {
    name: recording.file,
    provider: provider.slug,
    contentType,
    bytes: readFileSync(file),
    isEventStream: contentType.startsWith('text/event-stream'),
    request,
    isRecorded,
    mayDrop: request.stream && request.body !== body && !request.dropsNothing,
  };
}

const FOLDERS = path.join(import.meta.dirname, '..', '..', 'apps', 'gateway', 'src', 'providers');

/** What a fixture answers, by the beginning of its name: path, model, and whether a stream is asked for in the body. */
const ANSWERS: readonly [RegExp, string, string][] = [
  [/^openai\/(?:chat)/, '/v1/chat/completions', 'gpt-4o-mini'],
  [/^openai\/image/, '/v1/images/generations', 'gpt-image-1'],
  [/^openai\/responses/, '/v1/responses', 'gpt-4o'],
  [/^openai\/speech/, '/v1/audio/speech', 'gpt-4o-mini-tts'],
  [/^openai\/transcript/, '/v1/audio/transcriptions', 'gpt-4o-transcribe'],
  [/^openai\/subtitles/, '/v1/audio/transcriptions', 'whisper-1'],
  [/^gemini\/grounded/, '/v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse', 'gemini-2.5-flash'],
  [/^gemini\/list/, '/v1beta/models/gemini-2.5-flash:streamGenerateContent', 'gemini-2.5-flash'],
  [/^gemini\/interaction/, '/v1beta/interactions', 'gemini-2.5-flash'],
  [/^gemini\/openai/, '/v1beta/openai/chat/completions', 'gemini-2.5-flash'],
  [/^elevenlabs\/transcript/, '/v1/speech-to-text', 'scribe_v1'],
  [/^composio\//, '/api/v3.1/tools/execute/GITHUB_GET_A_REPOSITORY', 'GITHUB_GET_A_REPOSITORY'],
  [/^openrouter\/responses/, '/api/v1/responses', 'openai/gpt-4o'],
];

/** Without a line above, a fixture answers the first metered route of its provider. */
function fixtures(): [Recording, string][] {
  return PROVIDERS.flatMap(({ slug, upstream, routes }) => {
    const first = routes.find((route) => route.class === 'metered');
    if (!first) return [];
    const plain = first.path.replace(/\/[:*][a-zA-Z]+/g, '/{model}');
    const folder = path.join(FOLDERS, slug, 'fixtures');
    return readdirSync(folder).map((name): [Recording, string] => {
      const file = `${slug}/${name}`;
      const [, target = plain, model = 'model-1'] = ANSWERS.find(([known]) => known.test(file)) ?? [];
      const one = { file, provider: slug, endpoint: upstream + target, method: 'POST', status: 200 };
      const expected = { expected_usage: null, expected_billable: null, response_model: null };
      const stream = name.endsWith('.sse.txt');
      const request_hints = file.startsWith('openai/speech') ? { stream_format: 'sse' } : null;
      return [
        { ...one, ...expected, stream, request_hints, class: 'forwarded', ask_model: model },
        path.join(folder, name),
      ];
    });
  });
}
