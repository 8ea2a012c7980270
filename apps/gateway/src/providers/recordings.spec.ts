import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import type { MeteredRequest, Provider } from './provider.js';
import { feedStream, readFormRequest, readRequest, reported } from './read-answer.contract.js';
import { providerBySlug } from './registry.js';
import { matchRoute } from './route-table.js';

/** Real answers of the providers; laid beside the repository, not in it. */
const FOLDER = process.env.RECORDINGS_DIR ?? '../shared/recordings';
const INDEX = join(FOLDER, 'index.json');

interface Recording {
  file: string;
  provider: string;
  endpoint: string;
  method: string;
  status: number;
  ask_model: string | null;
  response_model: string | null;
  stream: boolean;
  scope: string;
  class: string;
  expected_usage: Record<string, unknown> | null;
  expected_billable: Record<string, unknown> | null;
  request_text?: string;
}

const recordings: Recording[] = existsSync(INDEX)
  ? (JSON.parse(readFileSync(INDEX, 'utf8')) as Recording[]).filter(
      ({ provider }) => providerBySlug(provider) !== undefined,
    )
  : [];
if (recordings.length === 0)
  process.stderr.write(`recordings: none in ${FOLDER}, conformance was not tested\n`);

const answers = recordings.filter(
  (one) =>
    one.class === 'forwarded' &&
    one.status < 300 &&
    (one.expected_billable !== null || estimateOf(one) !== null) &&
    routeOf(one)?.class === 'metered',
);

/** The end of the last word, in seconds, where nothing says how long the audio was. */
function estimateOf({ expected_usage, expected_billable }: Recording): number | null {
  const end = expected_billable === null ? expected_usage?.last_word_end_seconds : null;
  return typeof end === 'number' ? end : null;
}

function routeOf(one: Recording) {
  const known = providerBySlug(one.provider);
  return known ? (matchRoute(known, one.method, targetOf(one))?.route ?? null) : null;
}

/** A place that the index leaves open in a path is an id or, in it, the model. */
function targetOf({ endpoint, ask_model }: Recording): string {
  const { pathname, search } = new URL(endpoint.replace(/\{[^}]*\}/g, ask_model ?? 'id-1'));
  return pathname + search;
}

/** These take a form. */
const FORMS = new Set(['/v1/speech-to-text']);

function requestOf(provider: Provider, one: Recording): MeteredRequest | Promise<MeteredRequest> {
  const model = one.ask_model ?? 'm';
  const target = targetOf(one);
  if (FORMS.has(target)) return readFormRequest(provider, target, { model_id: model, file: new Blob(['a']) });
  const characters = Number(one.expected_billable?.characters ?? 0);
  const said = characters > 0 ? { text: one.request_text ?? 'x'.repeat(characters) } : {};
  return readRequest(provider, target, {
    model,
    stream: one.stream,
    stream_options: { include_usage: true },
    ...said,
  });
}

/** `expected_billable` in our meters: audio, which it counts inside input and output, is a meter of its own. */
function expectedLines(billable: Record<string, unknown>): Record<string, number> {
  const of = (name: string): number => Number(billable[name] ?? 0);
  const others = (billable.other_models ?? []) as { model: string; input: number; output: number }[];
  const tools = (billable.tool_calls ?? {}) as Record<string, number>;
  const lines: Record<string, number> = {
    input_tokens: of('input') - of('of_which_audio_input'),
    cache_read_tokens: of('cache_read'),
    cache_write_tokens: of('cache_write') + of('cache_write_5m'),
    cache_write_1h_tokens: of('cache_write_1h'),
    output_tokens: of('output') - of('of_which_audio_output'),
    audio_input_tokens: of('of_which_audio_input'),
    audio_output_tokens: of('of_which_audio_output'),
    web_searches: of('web_search') + (tools.web_search_calls_action_search ?? 0),
    file_searches: tools.file_search_calls ?? 0,
    characters: of('characters'),
    usd: of('cost_usd'),
    ...Object.fromEntries(
      others.flatMap(({ model, input, output }) => [
        [`input_tokens@${model}`, input],
        [`output_tokens@${model}`, output],
      ]),
    ),
  };
  return withoutZeros(lines);
}

function withoutZeros(lines: Record<string, number>): Record<string, number> {
  return Object.fromEntries(Object.entries(lines).filter(([, count]) => count !== 0));
}

(recordings.length > 0 ? describe : describe.skip)('recorded answers', () => {
  it('are there', () => expect(answers.length).toBeGreaterThan(0));

  // A table without rows would be a failed test where there are no recordings.
  for (const one of answers)
    it(`${one.file} is billed as its provider bills it`, async () => {
      const provider = providerBySlug(one.provider);
      if (!provider) throw new Error('filtered above');
      const meter = (await requestOf(provider, one)).meter();
      meter.onHead?.({});
      const recorded = readFileSync(join(FOLDER, one.file), 'utf8');
      if (one.file.endsWith('.sse.txt')) {
        const terminal = feedStream(meter, recorded).map((verdict) => verdict.terminal);
        // Not every stream says which of its events is the last; where one does, nothing comes behind it.
        expect(terminal.slice(0, -1)).not.toContain(true);
        if (one.provider !== 'gemini') expect(terminal.at(-1)).toBe(true);
      } else if (one.file.endsWith('.json')) meter.onBody(JSON.parse(recorded), Buffer.from(recorded));

      const { state, model } = meter.reading();
      const billable = one.expected_billable ?? {};
      const estimate = estimateOf(one);
      // Containers and requests are meters of their own, which the recordings do not count.
      const { code_sessions: _sessions, requests: _requests, ...lines } = withoutZeros(reported(meter));
      expect(lines).toEqual(estimate === null ? expectedLines(billable) : { audio_seconds: estimate });
      const silent = 'needs_estimate' in billable || 'billed' in billable;
      expect(state === 'final').toBe(estimate === null && !silent);
      if (one.response_model) expect(model).toBe(one.response_model);
    });

  it('has its free answers on free routes', () => {
    const free = recordings.filter(
      ({ class: kind, expected_billable }) => kind === 'forwarded' && expected_billable?.free === true,
    );
    for (const one of free) expect(routeOf(one)?.class).toBe('free');
  });

  it('has a route for everything that is forwarded, and for nothing that is blocked', () => {
    for (const one of recordings)
      if (['forwarded', 'blocked'].includes(one.class))
        expect([one.endpoint, routeOf(one) !== null]).toEqual([one.endpoint, one.class === 'forwarded']);
  });
});
