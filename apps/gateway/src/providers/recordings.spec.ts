import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { feedStream, readRequest, reported } from './read-answer.contract.js';
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
  expected_billable: Record<string, unknown> | null;
}

const recordings: Recording[] = existsSync(INDEX)
  ? (JSON.parse(readFileSync(INDEX, 'utf8')) as Recording[]).filter(
      ({ provider }) => providerBySlug(provider) !== undefined,
    )
  : [];
if (recordings.length === 0)
  process.stderr.write(`recordings: none in ${FOLDER}, conformance was not tested\n`);

const answers = recordings.filter(
  ({ class: kind, status, expected_billable, provider, method, endpoint }) =>
    kind === 'forwarded' &&
    status < 300 &&
    expected_billable !== null &&
    routeOf(provider, method, endpoint)?.class === 'metered',
);

function routeOf(provider: string, method: string, endpoint: string) {
  const { pathname, search } = new URL(endpoint);
  const known = providerBySlug(provider);
  return known ? (matchRoute(known, method, pathname + search)?.route ?? null) : null;
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

if (recordings.length === 0)
  process.stderr.write(`RECORDED ANSWERS NOT READ: no recordings in RECORDINGS_DIR (${FOLDER})\n`);

(recordings.length > 0 ? describe : describe.skip)('recorded answers', () => {
  it('are there', () => expect(answers.length).toBeGreaterThan(0));

  // A table without rows would be a failed test where there are no recordings.
  for (const one of answers)
    it(`${one.file} is billed as its provider bills it`, () => {
      const provider = providerBySlug(one.provider);
      if (!provider) throw new Error('filtered above');
      const { pathname, search } = new URL(one.endpoint);
      const body = {
        model: one.ask_model ?? 'm',
        stream: one.stream,
        stream_options: { include_usage: true },
      };
      const meter = readRequest(provider, pathname + search, body).meter();
      const recorded = readFileSync(join(FOLDER, one.file), 'utf8');
      if (one.stream) {
        const verdicts = feedStream(meter, recorded);
        expect(verdicts.map(({ terminal }) => terminal).lastIndexOf(true)).toBe(verdicts.length - 1);
        expect(verdicts.filter(({ terminal }) => terminal)).toHaveLength(1);
      } else meter.onBody(JSON.parse(recorded));

      const { state, model } = meter.reading();
      const billable = one.expected_billable ?? {};
      // A container is a meter of its own, which the recordings do not count.
      const { code_sessions: _sessions, ...lines } = withoutZeros(reported(meter));
      expect(lines).toEqual(expectedLines(billable));
      const silent = 'needs_estimate' in billable || 'billed' in billable;
      expect(state).toBe(silent ? 'none' : 'final');
      if (one.response_model) expect(model).toBe(one.response_model);
    });

  it('has its free answers on free routes', () => {
    const free = recordings.filter(
      ({ scope, expected_billable }) => scope === 'core' && expected_billable?.free === true,
    );
    for (const { provider, method, endpoint } of free)
      expect(routeOf(provider, method, endpoint)?.class).toBe('free');
  });
});
