import { existsSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { asFineAs, linesOf, UNCOUNTED } from '../../../../test/conformance/recording.js';
import type { MeteredRequest, Provider } from './provider.js';
import { feedStream, readFormRequest, readRequest, reported } from './read-answer.contract.js';
import { PROVIDERS, providerBySlug } from './registry.js';
import { matchRoute } from './route-table.js';

/** Real answers of the providers; laid beside the repository, not in it. */
const FOLDER = process.env.RECORDINGS_DIR ?? '../shared/recordings';

interface Recording {
  /** In its index its name, here its path. */
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
  request_hints?: Record<string, unknown> | null;
}

/** The recordings of a folder that has an index of them. */
function recordingsIn(folder: string): Recording[] {
  const index = join(folder, 'index.json');
  if (!existsSync(index)) return [];
  return (JSON.parse(readFileSync(index, 'utf8')) as Recording[])
    .filter(({ provider }) => providerBySlug(provider) !== undefined)
    .map((one) => ({ ...one, file: join(folder, one.file) }));
}

/** The real ones, and fixtures that a provider's folder has an index of as if they were. */
const real = recordingsIn(FOLDER);
const recordings = [
  ...real,
  ...PROVIDERS.flatMap(({ slug }) => recordingsIn(join(import.meta.dirname, slug, 'fixtures'))),
];

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
  const target = targetOf(one);
  return known ? (matchRoute(known, one.method, known.target?.(target) ?? target)?.route ?? null) : null;
}

/** A place that the index leaves open in a path is an id or, in it, the model. */
function targetOf({ endpoint, ask_model }: Recording): string {
  const { pathname, search } = new URL(endpoint.replace(/\{[^}]*\}/g, ask_model ?? 'id-1'));
  return pathname + search;
}

/** These take a form. */
const FORMS = new Set([
  '/v1/speech-to-text',
  '/v1/audio/transcriptions',
  '/v1/audio/translations',
  '/v1/images/edits',
  '/v1/images/variations',
]);

function requestOf(provider: Provider, one: Recording): MeteredRequest | Promise<MeteredRequest> {
  const model = one.ask_model ?? 'm';
  const target = targetOf(one);
  const file = new Blob(['a']);
  if (FORMS.has(target))
    return readFormRequest(provider, target, { model, model_id: model, file, stream: String(one.stream) });
  const characters = Number(one.expected_billable?.characters ?? 0);
  const text = one.request_text ?? 'x'.repeat(characters);
  const isSaid = characters > 0 || /\/audio\/speech$|\/text-to-dialogue/.test(target);
  const said = isSaid ? { text, input: text || 'x', inputs: [{ text: text || 'x' }] } : {};
  return readRequest(provider, target, {
    model,
    stream: one.stream,
    stream_options: { include_usage: true },
    ...(one.request_hints?.size ? { size: one.request_hints.size } : {}),
    ...(target.endsWith('/transcript') ? { audio_url: 'https://sounds.example/a' } : {}),
    ...said,
  });
}

/** What the index counts, as finely as it does. */
function counted(lines: Record<string, number>, one: Recording): Record<string, number> {
  const some = Object.entries(lines).filter(([meter, count]) => count !== 0 && !UNCOUNTED.has(meter));
  return asFineAs(one.expected_billable, Object.fromEntries(some));
}

/** It is blocked by its route, or by what the request is. */
async function isRefused(one: Recording): Promise<boolean> {
  if (routeOf(one) === null) return true;
  const provider = providerBySlug(one.provider) as Provider;
  return Promise.resolve()
    .then(() => requestOf(provider, one))
    .then(() => false)
    .catch((thrown: { code?: string }) => thrown.code === 'route_not_supported');
}

if (real.length === 0)
  process.stderr.write(`RECORDED ANSWERS NOT READ: no recordings in RECORDINGS_DIR (${FOLDER})\n`);

(recordings.length > 0 ? describe : describe.skip)('recorded answers', () => {
  it('are there', () => expect(answers.length).toBeGreaterThan(0));

  // A table without rows would be a failed test where there are no recordings.
  for (const one of answers)
    it(`${one.provider}/${basename(one.file)} is billed as its provider bills it`, async () => {
      const provider = providerBySlug(one.provider);
      if (!provider) throw new Error('filtered above');
      const meter = (await requestOf(provider, one)).meter();
      meter.onHead?.({});
      const recorded = readFileSync(one.file, 'utf8');
      if (one.file.endsWith('.sse.txt')) {
        const terminal = feedStream(meter, recorded).map((verdict) => verdict.terminal);
        // Not every stream says which of its events is the last; where one does, nothing comes behind it.
        const isDoneTwice = /interaction\.completed?".*\[DONE\]/s.test(recorded);
        expect(terminal.slice(0, isDoneTwice ? -2 : -1)).not.toContain(true);
        const endsOtherwise = /"error"\s*:\s*\{|^event: error|transcript\.text\.done/m.test(recorded);
        if (one.provider !== 'gemini' && !endsOtherwise) expect(terminal.at(-1)).toBe(true);
      } else if (one.file.endsWith('.json')) meter.onBody(JSON.parse(recorded), Buffer.from(recorded));

      const { state, model } = meter.reading();
      const billable = one.expected_billable ?? {};
      const estimate = estimateOf(one);
      const lines = counted(reported(meter), one);
      // What nobody reports is estimated by its time where it has one, and else not charged.
      const { audio_seconds: _seconds, ...unsaid } = lines;
      if ('needs_estimate' in billable) {
        // How much is estimated of sounds, or was said before an error, the index does not say.
        const isOpen = state !== 'none' || one.endpoint.includes('/audio/');
        if (!isOpen) expect(unsaid).toEqual(linesOf(billable));
        expect(state).not.toBe('final');
      } else {
        expect(lines).toEqual(estimate === null ? linesOf(billable) : { audio_seconds: estimate });
        // That nothing is billed may be told, as of a refusal.
        if ('billed' in billable) expect(['none', 'final']).toContain(state);
        else expect(state).toBe(estimate !== null ? 'partial' : 'final');
      }
      if (one.response_model) expect(model).toBe(one.response_model);
    });

  const isReport = (one: Recording) =>
    one.class === 'job' && providerBySlug(one.provider)?.jobs !== undefined;
  for (const one of recordings.filter(isReport))
    it(`${one.file} is read as the report of a job, and billed as its provider bills it`, () => {
      expect(routeOf(one)).toMatchObject({ class: 'free', reports: true });
      const json = JSON.parse(readFileSync(one.file, 'utf8')) as { id: string };
      const job = { upstream_id: json.id, tier: 'standard' };
      const report = providerBySlug(one.provider)?.jobs?.read(json, job);
      const { billed, deferred } = one.expected_billable ?? { deferred: true };
      if (deferred || billed === false) {
        expect(report?.state).toBe(deferred ? 'running' : 'failed');
        return;
      }
      if (report?.state !== 'done') throw new Error(`it is ${report?.state}`);
      const lines = report.reading.quantities.map(({ meter, quantity }) => [
        meter,
        Number(quantity.toDecimal()),
      ]);
      expect(Object.fromEntries(lines)).toEqual(linesOf(one.expected_billable ?? {}));
      expect(report.reading.state).toBe('final');
    });

  const ofClass = (kind: string) => recordings.filter((one) => one.class === kind);
  const named = (ones: readonly Recording[]) => ones.map(({ file }) => file);

  it('come by a route where they are forwarded, the free ones by a free route', () => {
    const isFree = ({ expected_billable }: Recording) => expected_billable?.free === true;
    const expected = (one: Recording) => (isFree(one) ? 'free' : 'metered');
    const answered = ofClass('forwarded').filter(({ status }) => status < 300);
    expect(named(answered.filter((one) => routeOf(one)?.class !== expected(one)))).toEqual([]);
  });

  it('are refused where they are blocked', async () => {
    for (const one of ofClass('blocked')) expect([one.file, await isRefused(one)]).toEqual([one.file, true]);
  });

  it('have no route to upgrade to a WebSocket', () =>
    expect(named(ofClass('websocket').filter((one) => routeOf({ ...one, method: 'GET' }) !== null))).toEqual(
      [],
    ));

  it('are refused for want of a rate by their own name alone: none that has a price stands in for it', async () => {
    for (const one of ofClass('no_rate')) {
      const provider = providerBySlug(one.provider) as Provider;
      const { model } = await requestOf(provider, one);
      expect([one.file, ...provider.rateKeys(model)]).toEqual([one.file, one.ask_model]);
    }
  });
});
