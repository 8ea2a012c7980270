import { expect, it } from '@jest/globals';
import { objectOf } from './foreign-json.js';
import { PROVIDERS, providerBySlug } from './registry.js';

const QUOTA = 'You exceeded your current quota, please check your plan and billing details.';
const NO_CREDIT = 'Your credit balance is too low to access the Anthropic API.';
const google = (code: number, status: string, message: string) => ({ error: { code, status, message } });

it.each<[slug: string, what: string, status: number, body: unknown, isOut: boolean]>([
  ['openai', 'no quota', 429, { error: { type: 'insufficient_quota', code: 'insufficient_quota' } }, true],
  ['openai', 'no quota, without a code', 429, { error: { type: 'insufficient_quota', code: null } }, true],
  ['openai', 'an account that is not paid', 429, { error: { code: 'billing_not_active' } }, true],
  ['openai', 'a hard limit', 400, { error: { code: 'billing_hard_limit_reached' } }, true],
  ['openai', 'a rate limit', 429, { error: { type: 'tokens', code: 'rate_limit_exceeded' } }, false],
  ['openai', 'the word elsewhere', 400, { error: { message: 'insufficient_quota', code: 'bad' } }, false],
  ['anthropic', 'no credit', 400, { error: { type: 'invalid_request_error', message: NO_CREDIT } }, true],
  ['anthropic', 'an account that is not paid', 402, { error: { type: 'billing_error' } }, true],
  ['anthropic', 'a bad request', 400, { error: { type: 'invalid_request_error', message: 'no' } }, false],
  ['anthropic', 'a rate limit', 429, { error: { type: 'rate_limit_error' } }, false],
  ['openrouter', 'no credits', 402, { error: { code: 402, message: 'Insufficient credits' } }, true],
  ['openrouter', 'no credits, without a body', 402, null, true],
  ['openrouter', 'a rate limit', 429, { error: { code: 429 } }, false],
  ['elevenlabs', 'no quota', 401, { detail: { status: 'quota_exceeded' } }, true],
  ['elevenlabs', 'no quota, in the newer words', 401, { detail: { code: 'quota_exceeded' } }, true],
  ['elevenlabs', 'a wrong key', 401, { detail: { status: 'invalid_api_key' } }, false],
  ['elevenlabs', 'a list', 422, { detail: [{ status: 'quota_exceeded' }] }, false],
  ['gemini', 'no credits', 429, google(429, 'RESOURCE_EXHAUSTED', 'Your credits are depleted.'), true],
  ['gemini', 'a spending cap', 429, google(429, 'RESOURCE_EXHAUSTED', 'Over its spending cap.'), true],
  ['gemini', 'no billing', 403, google(403, 'PERMISSION_DENIED', 'It requires billing to be on.'), true],
  ['gemini', 'a rate limit, which has the word', 429, google(429, 'RESOURCE_EXHAUSTED', QUOTA), false],
  ['gemini', 'a prompt that has the words', 400, google(400, 'INVALID_ARGUMENT', 'spending cap'), false],
  ['assemblyai', 'a negative balance', 400, { error: 'Your current account balance is negative.' }, true],
  ['assemblyai', 'an unpaid account', 402, null, true],
  ['assemblyai', 'a bad request', 400, { error: 'audio_url should be a non-empty string' }, false],
  ['muapi', 'an empty wallet', 402, { detail: 'Insufficient credits' }, true],
  ['muapi', 'a wrong key', 401, { detail: 'Invalid key' }, false],
  ['composio', 'no credits', 402, { message: 'Upgrade' }, true],
  ['composio', 'a rate limit', 429, { message: 'Rate limit exceeded' }, false],
])('%s says by %s (%i) whether the account is out of money', (slug, _, status, body, isOut) =>
  expect(providerBySlug(slug)?.outOfFunds?.(status, objectOf(body))).toBe(isOut),
);

it('every provider whose account the operator may have says when it is out of money', () =>
  expect(PROVIDERS.filter(({ outOfFunds, pool }) => !outOfFunds !== (pool === false))).toEqual([]));

it.each(PROVIDERS.flatMap(({ outOfFunds, slug }) => (outOfFunds ? [[slug, outOfFunds] as const] : [])))(
  '%s takes anything in the place of its words',
  (_, outOfFunds) => {
    for (const odd of [null, 1, 'x', [], { code: {} }, { message: [] }, { status: null }, { toString: 1 }])
      for (const body of [odd, { code: odd, type: odd, status: odd, message: odd }])
        expect(outOfFunds(418, { error: body, detail: body, message: odd })).toBe(false);
  },
);
