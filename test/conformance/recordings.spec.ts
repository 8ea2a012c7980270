import { randomInt } from 'node:crypto';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { UsageEventRow } from '../harness/admin-client.js';
import { type ProductUnderTest, productForTests } from '../harness/index.js';
import type { RawAnswer } from '../harness/raw-http.js';
import { ListPrices, neededMeter, ratesOf } from './list-price.js';
import {
  asFineAs,
  askedBy,
  billedLines,
  contentTypeOf,
  expectedEvidence,
  expectedLines,
  isEventStream,
  isMetered,
  kindOf,
  type Lines,
  namesOf,
  promptTokensOf,
  type Recording,
  readRecordings,
  targetOf,
  tierOf,
} from './recording.js';
import { recordingsFolder } from './recordings-folder.js';
import { type ReplayUpstream, startReplayUpstream } from './replay-upstream.js';
import { Tally } from './tally.js';

const folder = recordingsFolder('CONFORMANCE');
const recordings = readRecordings(folder);
const providers = [...new Set(recordings.map(({ provider }) => provider))];
/** Charges that were worked out by hand, of recordings by their names; of others, and of these too, `ListPrices` does it. */
const byHand = JSON.parse(
  readFileSync(path.join(import.meta.dirname, 'expected-micros.json'), 'utf8'),
) as Record<string, { micros: number; lines?: Lines }>;
const CREDIT_MICROS = 1_000_000_000;
const seed = Number(process.env.CONFORMANCE_SEED ?? randomInt(1_000_000));

/** They tell about the account behind the gateway; the replay sends all of them. */
const ACCOUNT_HEADERS = [
  'set-cookie',
  'openai-organization',
  'anthropic-organization-id',
  'x-ratelimit-remaining-requests',
];

/** What a submit costs where its answer says it. */
const SUBMIT_USD = 0.01;

interface SubmittedJob {
  /** One of them is the usage event's `upstream_request_id`: the job's own, or that of the answer to its submit. */
  names: readonly string[];
  polled: Set<Recording>;
}

/** One way in which a recording's bytes come. */
interface Way {
  encoding?: 'gzip' | 'br';
  newline: '\n' | '\r\n' | 'as recorded';
}

const ENCODINGS = [undefined, 'gzip', 'br'] as const;

/** Plain, in gzip and in br, and an event stream with LF and with CRLF each time. */
function waysOf(recording: Recording): Way[] {
  const newlines = isEventStream(recording) ? (['\n', '\r\n'] as const) : (['as recorded'] as const);
  return ENCODINGS.flatMap((encoding) =>
    newlines.map((newline) => ({ newline, ...(encoding && { encoding }) })),
  );
}

function bytesOf({ file }: Recording, newline: Way['newline']): Buffer {
  const bytes = readFileSync(path.join(folder ?? '', file));
  // One character per byte, so that nothing but the newlines changes.
  return newline === 'as recorded'
    ? bytes
    : Buffer.from(bytes.toString('latin1').replace(/\r?\n/g, newline), 'latin1');
}

const realKey = (provider: string): string => `sk-real-${provider}`;

(folder ? describe : describe.skip)(`every recording, in random chunks (CONFORMANCE_SEED=${seed})`, () => {
  const prices = new ListPrices();
  const tally = new Tally();
  let product: ProductUnderTest;
  let upstream: ReplayUpstream;
  let key: string;
  let tenantId: string;
  /** Of another tenant, whose holds nobody waits for. */
  let laterKey: string;
  let events: UsageEventRow[] = [];
  /** Of metered calls by the id that the replay gave them. */
  const metered = new Map<string, Recording>();
  /** Of jobs, by the provider's id of them. */
  const submitted = new Map<string, SubmittedJob>();

  beforeAll(async () => {
    upstream = await startReplayUpstream(seed);
    product = await productForTests({
      upstreams: Object.fromEntries(providers.map((provider) => [provider, upstream.url])),
    });
    ({ tenantId, key } = await customer());
    ({ key: laterKey } = await customer());
    await importMissingRates((await customer()).key);
  }, 60_000);

  afterAll(async () => {
    process.stdout.write(tally.table());
    await product?.stop();
    await upstream?.stop();
  }, 30_000);

  async function customer(): Promise<{ tenantId: string; key: string }> {
    const { id } = await product.admin.createTenant('conformance');
    await product.admin.credit(id, CREDIT_MICROS);
    const app = await product.admin.createApp(id, 'conformance');
    for (const provider of providers) {
      const connection = await product.admin.connect(id, provider, 'byok_static', realKey(provider));
      await product.admin.bind(app.id, provider, connection.id);
    }
    return { tenantId: id, key: app.key };
  }

  /** Models of recordings that no price list names (any more) get a price of ours. @param probe the key of somebody else. */
  async function importMissingRates(probe: string): Promise<void> {
    const missing = recordings.filter((one) => isMetered(one) && !isListed(one));
    for (const one of missing) {
      const { provider, ask_model } = one;
      const rates = ratesOf(one).map((rate) => ({ provider, model: ask_model ?? '', ...rate }));
      await product.admin.importRates(rates);
      for (const rate of rates) prices.add(rate);
    }
    const last = missing.at(-1);
    if (!last) return;
    play(last, { newline: 'as recorded' });
    await product.waitUntil(async () => (await call(last, {}, probe)).status !== 402, 'the rates');
  }

  function isListed(one: Recording): boolean {
    return prices.knows(one.provider, askedNames(one)) || prices.knowsAll(one.provider, neededMeter(one));
  }

  function call(recording: Recording, { places = {} }: { places?: Record<string, string> } = {}, as = key) {
    const target = targetOf(recording, { token: as, ...places });
    const upgrades = recording.class === 'websocket';
    const method = upgrades ? 'GET' : recording.method;
    const asked = method === 'GET' || method === 'DELETE' ? null : askedBy(recording);
    return product.raw({
      method,
      path: `/proxy/${recording.provider}${target}`,
      headers: {
        authorization: `Bearer ${as}`,
        'accept-encoding': 'gzip, br',
        ...(asked ? { 'content-type': asked.contentType } : {}),
        ...(upgrades ? UPGRADE : {}),
      },
      ...(asked ? { body: asked.body } : {}),
    });
  }

  function play(recording: Recording, { encoding, newline }: Way): Buffer {
    const body = bytesOf(recording, newline);
    const { status } = recording;
    upstream.play({
      status,
      contentType: contentTypeOf(recording),
      body,
      ...(encoding ? { encoding } : {}),
    });
    return body;
  }

  /** The answer that was played, byte for byte, of a request that carried the real key once and ours nowhere. */
  function expectPassed(answer: RawAnswer, recording: Recording, body: Buffer): string {
    expect(answer.status).toBe(recording.status);
    expect(answer.body.equals(upstream.sent())).toBe(true);
    expect(answer.decodedBody.equals(body)).toBe(true);
    for (const header of ACCOUNT_HEADERS) expect(answer.headers[header]).toBeUndefined();
    const [request, ...more] = upstream.requests();
    expect(more).toEqual([]);
    expect(answer.headers['x-request-id']).toBe(request?.id);
    const seen = JSON.stringify([request?.path, request?.headers]);
    expect(seen.split(realKey(recording.provider))).toHaveLength(2);
    expect(seen + request?.body).not.toContain('vendo_sk_');
    return request?.id ?? '';
  }

  function expectRefused(answer: RawAnswer, status: number, error: object): void {
    expect(answer.status).toBe(status);
    expect(JSON.parse(answer.body.toString())).toMatchObject({ error });
    expect(upstream.requests()).toEqual([]);
  }

  const ways = recordings.flatMap((recording) =>
    waysOf(recording).map((way) => ({
      recording,
      way,
      title: `${recording.file} ${way.encoding ?? 'plain'} ${JSON.stringify(way.newline)}`,
    })),
  );

  it.each(ways)('$title', async ({ recording, way }) => {
    const pass = tally.begin(recording.provider, kindOf(recording));
    const places = recording.class === 'job' ? await submit(recording) : {};
    const body = play(recording, way);
    const isLater = isToldLater(recording);
    const answer = await call(recording, { places }, isLater ? laterKey : key);
    switch (kindOf(recording)) {
      case 'no rate':
        expectRefused(answer, 402, { code: 'rate_missing' });
        break;
      case 'blocked':
        expectRefused(answer, 404, { code: 'route_not_supported' });
        break;
      case 'websocket':
        expectRefused(answer, 404, { message: 'WebSocket connections are not supported.' });
        break;
      case 'stream':
      case 'json':
      case 'media':
      case 'free':
      case 'error':
      case 'job':
      case 'policy': {
        const id = expectPassed(answer, recording, body);
        if (isMetered(recording) && !isLater) metered.set(id, recording);
        break;
      }
      default:
        throw new Error(`nothing is known of the class ${recording.class}`);
    }
    pass();
  });

  /** A job is polled by who submitted it, once. @returns its id, in whatever place of the path it stands. */
  async function submit(recording: Recording): Promise<Record<string, string>> {
    const { request_id, id: own } = JSON.parse(bytesOf(recording, 'as recorded').toString());
    const id = String(request_id ?? own);
    const places = { id, request_id: id };
    const known = submitted.get(id);
    known?.polled.add(recording);
    if (known) return places;
    const endpoint = new URL(recording.endpoint.replace(/[{}]/g, ''));
    const cost = { amount_usd: SUBMIT_USD, refunded: false };
    upstream.play({
      status: 200,
      contentType: 'application/json',
      body: Buffer.from(JSON.stringify({ id, request_id: id, status: 'queued', audio_duration: null, cost })),
    });
    const path = endpoint.pathname
      .replace(/\/predictions\/.*$/, `/${recording.ask_model}`)
      .replace(/\/id(?:\/[^/]*)?$/, '');
    const submission = { ...recording, method: 'POST', endpoint: endpoint.origin + path };
    expect((await call(submission)).status).toBe(200);
    const [request] = upstream.requests();
    submitted.set(id, { names: [id, String(request?.id)], polled: new Set([recording]) });
    return places;
  }

  describe('when all of them have come', () => {
    beforeAll(async () => {
      await product.settled(tenantId, 60_000);
      const jobs = submitted.size;
      events = await product.waitUntil(async () => {
        const come = await product.admin.usageEvents(tenantId);
        return come.length >= metered.size + jobs && come;
      }, `${metered.size} usage events and those of ${jobs} jobs`);
    }, 90_000);

    const told = recordings.filter((one) => isMetered(one) && !isToldLater(one));
    const later = recordings.filter(isToldLater).map(({ file }) => file);
    if (later.length > 0)
      process.stderr.write(`BILLS NOT COMPARED, their cost is told later: ${later.join(', ')}\n`);
    it.each(told.map((recording) => ({ recording, file: recording.file })))(
      '$file is billed each time as its provider bills it, at the list price',
      ({ recording }) => {
        const pass = tally.begin(recording.provider, kindOf(recording), 'billed');
        const own = events.filter(
          ({ upstream_request_id }) => metered.get(String(upstream_request_id)) === recording,
        );
        expect(own).toHaveLength(waysOf(recording).length);
        for (const event of own) expectBilled(event, recording);
        pass();
      },
    );

    it('a job was charged once at its list price, however often it was polled', () => {
      const others = events.filter(({ upstream_request_id }) => !metered.has(String(upstream_request_id)));
      expect(others).toHaveLength(submitted.size);
      for (const job of submitted.values()) {
        const own = others.filter(({ upstream_request_id }) =>
          job.names.includes(String(upstream_request_id)),
        );
        expect(own).toHaveLength(1);
        for (const event of own) expectJobBilled(event, job);
        tally.begin(own[0]?.provider ?? '', 'job', 'billed')();
      }
    });

    it('the tenant has paid the sum of it, and nothing for what was free, refused or blocked', async () => {
      const charged = events.reduce((sum, { cost_micros }) => sum + cost_micros, 0);
      const { credits_remaining_micros } = await product.billing(key).balance();
      expect(credits_remaining_micros).toBe(CREDIT_MICROS - charged);
      expect(events).toHaveLength(metered.size + submitted.size);
    });
  });

  /** By the poll that said what it is billed by; where polls are free, by the answer to its submit. */
  function expectJobBilled(event: UsageEventRow, { polled }: SubmittedJob): void {
    const reports = [...polled].map((recording) => {
      const isCharged = recording.expected_billable?.free === true;
      return { recording, lines: isCharged ? { usd: SUBMIT_USD } : (expectedLines(recording) ?? {}) };
    });
    const report = reports.find(({ lines }) => Object.keys(lines).length > 0) ?? reports[0];
    if (!report) throw new Error('nobody has polled it');
    const { recording, lines } = report;
    expect(billedLines(event.lines)).toEqual(lines);
    expect(event.lines.filter(({ unpriced }) => unpriced)).toEqual([]);
    const { speech_model_used: used } = JSON.parse(bytesOf(recording, 'as recorded').toString());
    const models = [typeof used === 'string' ? namesOf(used, null) : [], askedNames(recording)];
    const priced = Object.entries(lines).map(([meter, count]) => ({
      meter,
      quantity: String(count),
      models,
    }));
    const circumstances = { provider: recording.provider, tier: 'standard', promptTokens: 0 };
    const micros = prices.microsOf(priced, circumstances);
    expect(event.cost_micros).toBe(micros);
    expect(micros > 0).toBe(priced.length > 0);
  }

  function expectBilled(event: UsageEventRow, recording: Recording): void {
    const { expected_billable, request_hints } = recording;
    const isTold = expected_billable?.billed === false && event.evidence === 'exact';
    const failed = (expected_billable?.billed === false && !isTold) || hasErrorInside(recording);
    if (recording.class !== 'policy') {
      if (!isTold) expect(event.evidence).toBe(expectedEvidence(recording));
      expect(event.outcome).toBe(failed ? 'upstream_error' : 'completed');
    }
    const known = byHand[recording.file];
    const expected = known?.lines ?? expectedLines(recording);
    const billed = asFineAs(expected_billable, billedLines(event.lines));
    // Where it is the operator's choice, nothing may be billed as well.
    if (recording.class === 'policy') expect([expected ?? billed, {}]).toContainEqual(billed);
    else if (expected !== null) expect(billed).toEqual(expected);

    const lines = event.lines as (UsageEventRow['lines'][number] & { model?: string })[];
    const namesCost = expected_billable?.cost_usd !== undefined;
    const priced = lines
      // Where the provider names the cost, what else it tells is in it.
      .filter(({ meter }) => !namesCost || meter === 'usd')
      .map(({ meter, model, quantity }) => ({
        meter,
        quantity,
        models: model ? [namesOf(model, null)] : [answeredNames(recording), askedNames(recording)],
      }));
    const circumstances = {
      provider: recording.provider,
      tier: tierOf(recording),
      promptTokens: promptTokensOf(recording),
    };
    expect(lines.filter(({ unpriced }) => unpriced)).toEqual([]);
    expect(event.cost_micros).toBe(prices.microsOf(priced, circumstances));
    expect(lines.reduce((sum, { cost_micros }) => sum + cost_micros, 0)).toBe(event.cost_micros);
    if (known) expect(event.cost_micros).toBe(known.micros);

    function answeredNames({ response_model }: Recording): string[] {
      return response_model ? namesOf(response_model, request_hints?.size) : [];
    }
  }
});

function askedNames({ ask_model, request_hints }: Recording): string[] {
  return namesOf(ask_model ?? '', request_hints?.size);
}

const UPGRADE = {
  connection: 'Upgrade',
  upgrade: 'websocket',
  'sec-websocket-version': '13',
  'sec-websocket-key': 'AAAAAAAAAAAAAAAAAAAAAA==',
};

/** An error that came after the status had been sent, or the failure of a tool, which is billed. */
function hasErrorInside(recording: Recording): boolean {
  const text = bytesOf(recording, 'as recorded').toString();
  if (recording.provider === 'composio') return /"successful"\s*:\s*false/.test(text);
  return /"error"\s*:\s*\{|"finish_reason"\s*:\s*"error"|^event: error/m.test(text);
}

/** A stream of OpenRouter that does not say its cost: it is asked for, of somebody who does not answer here. */
function isToldLater(recording: Recording): boolean {
  if (recording.provider !== 'openrouter' || !isMetered(recording) || !isEventStream(recording)) return false;
  return !/"usage"\s*:\s*\{/.test(bytesOf(recording, 'as recorded').toString());
}
