import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { Rational } from '@vendo/money';
import { type Rate, RateBook } from '@vendo/pricing';
import fc from 'fast-check';
import { readRequest, reported } from '../read-answer.contract.js';
import { matchRoute } from '../route-table.js';
import { muapi } from './muapi.provider.js';

const IMAGE = '/api/v1/flux-dev-image';
const PROMPT = { prompt: 'a cat' };
const fixture = (name: string): unknown =>
  JSON.parse(readFileSync(join(import.meta.dirname, 'fixtures', name), 'utf8'));
const read = (path: string, body: unknown = PROMPT) => readRequest(muapi, path, body);

describe('muapi submits', () => {
  it.each([
    [IMAGE, 'flux-dev-image'],
    ['/api/v1/mmaudio-v2/text-to-audio', 'mmaudio-v2/text-to-audio'],
    ['/api/v1/wan2.1-image-to-video', 'wan2.1-image-to-video'],
  ])('%s is of the model %s', (path, model) =>
    expect(read(path)).toMatchObject({
      model,
      tier: 'standard',
      stream: false,
      needs: ['requests', 'usd'],
      bound: { kind: 'units', units: { requests: 1, usd: 1 } },
      accountObjects: [],
    }),
  );

  it.each([
    ['no JSON', IMAGE, '{'],
    ['a list', IMAGE, '[]'],
    ['a webhook in the query', `${IMAGE}?webhook=https://a.example`, PROMPT],
    ['an empty webhook in the query', `${IMAGE}?webhook`, PROMPT],
    ['an encoded webhook in the query', `${IMAGE}?a=1&%77ebhook=x`, PROMPT],
    ['a webhook in the body', IMAGE, { ...PROMPT, webhook_url: 'https://a.example' }],
    ['two webhooks in the body', IMAGE, '{"webhook_url":"","webhook_url":"https://a.example"}'],
  ])('refuse %s', (_, path, body) =>
    expect(() => read(path, body)).toThrow(expect.objectContaining({ code: 'invalid_body' })),
  );

  it('take the empty webhook that clients send for none', () =>
    expect(read(IMAGE, { ...PROMPT, webhook_url: null }).model).toBe('flux-dev-image'));

  it.each([
    'account/topup',
    'account',
    'keys',
    'keys/1/revoke',
    'Keys',
    'payments/checkout',
    'workflow/run',
    'workflows',
    'workflow-run',
    'agent/skill/run',
    'agent/creative/run',
    'agents/a/chat',
    'predictions/r-1/cancel',
    'models/x',
    'upload_file/x',
  ])('have no model %s, whatever it is priced', (path) =>
    expect(() => read(`/api/v1/${path}`)).toThrow(expect.objectContaining({ code: 'route_not_supported' })),
  );

  it('have models that only begin like what is none', () =>
    expect(read('/api/v1/agentic-upscaler').model).toBe('agentic-upscaler'));

  it.each(['request_id', 'task_id', 'prediction_id'])(
    'that go on with an earlier job name it: %s',
    (field) => {
      expect(read(IMAGE, { ...PROMPT, [field]: 'job-1' })).toMatchObject({
        accountObjects: [],
        storedObjects: [{ field, id: 'job-1' }],
      });
      expect(read(IMAGE, { ...PROMPT, [field]: ['job-1'] })).toMatchObject({
        accountObjects: [field],
        storedObjects: [],
      });
      for (const query of [
        field,
        `${field}=job-1`,
        `a=1&%${field.charCodeAt(0).toString(16)}${field.slice(1)}=`,
      ])
        expect(read(`${IMAGE}?${query}`).accountObjects).toEqual([field]);
    },
  );
});

describe('muapi usage', () => {
  const after = (body: unknown, headers: Record<string, string> = {}) => {
    const meter = read(IMAGE).meter();
    meter.onHead?.(headers);
    meter.onBody(body);
    return meter;
  };

  it('is the request and what the answer says it costs', () => {
    const meter = after(fixture('submit-dynamic.json'));
    expect(reported(meter)).toEqual({ requests: 1, usd: 0.4375 });
    expect(meter.reading()).toMatchObject({
      state: 'final',
      failed: false,
      upstreamId: 'job-7',
      model: null,
    });
    expect(meter.reading().evidence).toBeUndefined();
  });

  it('of a sandbox key, which gets no id, is nothing in dollars', () => {
    const meter = after(fixture('sandbox-without-id.json'));
    expect(reported(meter)).toEqual({ requests: 1, usd: 0 });
    expect(meter.reading()).toMatchObject({ state: 'final', upstreamId: null });
  });

  it('that was given back at once is none, and the failure is told', () => {
    const meter = after(fixture('submit-refunded.json'), { 'x-muapi-cost-usd': '0.03' });
    expect(meter.reading()).toMatchObject({
      state: 'final',
      quantities: [],
      failed: true,
      upstreamId: 'job-8',
    });
  });

  it('of a job that failed without being given back stays', () =>
    expect(reported(after({ status: 'failed', cost: { amount_usd: 0.03 } }))).toEqual({
      requests: 1,
      usd: 0.03,
    }));

  it('is known at the head, where it says the cost', () => {
    const meter = read(IMAGE).meter();
    meter.onHead?.({ 'x-muapi-cost-usd': '0.025', 'x-muapi-cost-refunded': 'false' });
    meter.onTornBody('{"request_id":"r-1","cost":{"amount_usd":9');
    expect(meter.counted()).toMatchObject({ state: 'final', evidence: 'header' });
    expect(reported(meter)).toEqual({ requests: 1, usd: 0.025 });
  });

  it('is that of the body where both say one', () => {
    const meter = after(fixture('submit-dynamic.json'), { 'x-muapi-cost-usd': '9' });
    expect(reported(meter)).toEqual({ requests: 1, usd: 0.4375 });
    expect(meter.reading().evidence).toBeUndefined();
  });

  it.each([{}, { cost: null }, { cost: { amount_usd: -1 } }, { cost: { amount_usd: 'free' } }, []])(
    'is the request alone, without a report, in %j',
    (body) => {
      const meter = after(body);
      expect(reported(meter)).toEqual({ requests: 1 });
      expect(meter.reading().state).toBe('none');
    },
  );

  it('never throws, whatever comes', () =>
    fc.assert(
      fc.property(fc.jsonValue(), fc.jsonValue(), fc.string(), (cost, other, junk) => {
        const meter = read(IMAGE).meter();
        meter.onHead?.({ 'x-muapi-cost-usd': junk });
        meter.onBody(other);
        meter.onBody({ cost, status: other, error: other });
        meter.onBody({ cost: { amount_usd: cost, refunded: other } });
        for (const { quantity } of meter.reading().quantities) expect(quantity.isNegative()).toBe(false);
      }),
    ));
});

/** How the catalogue says what a model is: both meters have a row, and the one that does not count is declared free. */
describe('muapi prices', () => {
  const row = (model: string, meter: Rate['meter'], usd: string): Rate => ({
    provider: 'muapi',
    model,
    meter,
    tier: 'standard',
    contextFrom: 0,
    unitCostUsd: Rational.parse(usd),
    per: Rational.ONE,
    free: usd === '0',
    effectiveFrom: 0,
    version: 1,
  });
  const rates = [
    row('flat', 'requests', '0.02'),
    row('flat', 'usd', '0'),
    row('dynamic', 'requests', '0'),
    row('dynamic', 'usd', '1'),
  ];
  const margin = Rational.of(20n);
  const book = new RateBook(
    rates,
    [{ tenantId: null, integration: null, meter: null, marginPct: margin, effectiveFrom: 0, version: 1 }],
    1,
  );
  const price = (model: string) => {
    const meter = read(`/api/v1/${model}`).meter();
    meter.onBody(fixture('submit-dynamic.json'));
    const context = {
      tenantId: 't',
      provider: 'muapi',
      tier: 'standard',
      contextTokens: 0,
      at: 1,
      version: 1,
    };
    return book.price({ ...context, rateKeys: muapi.rateKeys(model) }, meter.reading().quantities);
  };

  it.each([
    ['flat', 24_000n],
    ['dynamic', 525_000n],
  ])('a %s model costs %d micros, and both its price and its cost are on the event', (model, costMicros) => {
    const priced = price(model);
    expect([priced.costMicros, priced.unpriced]).toEqual([costMicros, []]);
    expect(priced.lines.map(({ meter, quantity }) => [meter, quantity])).toEqual([
      ['requests', '1'],
      ['usd', '0.4375'],
    ]);
  });
});

describe('muapi routes', () => {
  const routeOf = (method: string, target: string) => matchRoute(muapi, method, target)?.route ?? null;

  it.each([
    ['POST', IMAGE, 'metered', 'submit'],
    ['POST', '/api/v1/mmaudio-v2/text-to-audio', 'metered', 'submit'],
    ['POST', '/api/v1/upload_file', 'free', 'upload_file'],
    ['GET', '/api/v1/predictions/r-1/result', 'free', 'predictions.result'],
    ['GET', '/api/v1/models', 'free', 'models.list'],
    ['GET', '/api/v1/models/mmaudio-v2/text-to-audio', 'free', 'models.retrieve'],
  ])('%s %s is %s', (method, target, kind, name) =>
    expect(routeOf(method, target)).toMatchObject({ class: kind, name }),
  );

  it('stream their uploads, and open jobs to who made them', () => {
    expect(routeOf('POST', '/api/v1/upload_file')).toMatchObject({ upload: true });
    expect(routeOf('GET', '/api/v1/predictions/r-1/result')).toMatchObject({
      object: 'id',
      reports: true,
    });
  });

  it.each([
    ['GET', IMAGE],
    ['DELETE', '/api/v1/predictions/r-1'],
    ['GET', '/api/v1/predictions/r-1'],
    ['GET', '/api/v1/predictions/r-1/result/'],
    ['GET', '/api/v1/predictions/r-1%2Fresult'],
    ['GET', '/api/v1/predictions/r-1%2fresult'],
    ['GET', '/api/v1/account/balance'],
    ['GET', '/api/v1/keys'],
    ['GET', '/api/v1/workflow'],
    ['POST', `${IMAGE}/`],
    ['POST', `/${IMAGE}`],
    ['POST', '/api/v1//flux'],
    ['POST', '/API/v1/flux-dev-image'],
    ['POST', '/api/v1/flux%2Ddev'],
    ['POST', '/api/v1/'],
    ['POST', '/flux-dev-image'],
    ['GET', '/openapi.json'],
  ])('%s %s is blocked', (method, target) => expect(routeOf(method, target)).toBeNull());

  it.each([
    ['/v1/flux-dev-image', IMAGE],
    [IMAGE, IMAGE],
    ['/v1', '/v1'],
    ['//v1/flux', '//v1/flux'],
  ])('%s is forwarded as %s', (raw, target) => expect(muapi.target?.(raw)).toBe(target));
});

it('muapi takes the credential in its own header', () => {
  const outgoing = { path: IMAGE, headers: {} };
  muapi.authorize(outgoing, 'mu-1');
  expect(outgoing).toEqual({ path: IMAGE, headers: { 'x-api-key': 'mu-1' } });
});

it('muapi prices a model under its path only', () => expect(muapi.rateKeys('a/b')).toEqual(['a/b']));
