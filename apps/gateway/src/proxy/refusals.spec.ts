import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { VendoError } from '@vendo/errors';
import { RateBook } from '@vendo/pricing';
import { CHAT_JSON, json } from './memory.proxy-answers.js';
import { CHAT, type Sent, send } from './memory.proxy-client.js';
import { KEY, ProxyWorld } from './memory.proxy-world.js';

let world: ProxyWorld;
beforeEach(async () => {
  world = await new ProxyWorld().start();
  world.answer = json(200, CHAT_JSON);
});
afterEach(() => world.close());

/**
 * The holds that the ledger has been asked for and that no end was spooled for: the ledger would keep their credit.
 * It need not have answered: what was asked may have been done.
 */
function holdsLeft(): string[] {
  const ended = new Set(world.ends().map(({ data }) => data.hold_id));
  return world.reserved.map(({ hold_id }) => hold_id).filter((id) => !ended.has(id));
}

/** What a refusal leaves behind: every hold that was asked for has one end, without cost. */
function expectReleased(holds: number): void {
  expect(holdsLeft()).toEqual([]);
  expect(world.reserved).toHaveLength(holds);
  expect(world.ends().map(({ data }) => [data.outcome, data.cost_micros])).toEqual(
    world.reserved.map(() => ['not_forwarded', 0]),
  );
  expect(world.usages()).toEqual([]);
  expect(world.seen).toEqual([]);
  expect([world.openCalls(), world.bodyBytes()]).toEqual([0, 0]);
}

const NOBODY = `${KEY.slice(0, -1)}X`;
const POOL = { profile: 'vendo_managed_pool', sealedCredential: null } as const;

describe('a refusal before the ledger is asked reserves nothing', () => {
  it.each<[what: string, status: number, sent: Sent, prepare?: () => void]>([
    ['a path that climbs', 400, { path: '/proxy/openai/v1/../x' }],
    ['an unknown provider', 404, { path: '/proxy/nobody/v1' }],
    ['no key', 401, { headers: { authorization: '' } }],
    ['a key that nobody has', 401, { headers: { authorization: `Bearer ${NOBODY}` } }],
    ['a route that is not metered', 404, { path: '/proxy/openai/v1/files' }],
    ['a body over the limit', 413, { body: 'x'.repeat(100_001) }],
    ['a compressed body', 400, { headers: { 'content-encoding': 'gzip' } }],
    ['a body that is no JSON', 400, { body: '{' }],
    ['a model that is a key of ours', 400, { body: JSON.stringify({ ...CHAT, model: KEY }) }],
    ['a binding that is missing', 403, {}, () => refuseConnections('binding_missing')],
    ['a connection that needs reauth', 401, {}, () => refuseConnections('connection_needs_reauth')],
    ['a connection that was revoked', 403, {}, () => refuseConnections('connection_revoked')],
    [
      'an object of the shared account',
      400,
      {
        path: '/proxy/openai/v1/responses',
        body: JSON.stringify({ model: 'gpt-4o-mini', input: 'hi', conversation: 'conv_1' }),
      },
      () => Object.assign(world, { connection: { ...world.connection, ...POOL } }),
    ],
    [
      'a response of somebody else',
      404,
      {
        path: '/proxy/openai/v1/responses',
        body: JSON.stringify({ model: 'gpt-4o-mini', input: 'hi', previous_response_id: 'resp_1' }),
      },
      () => Object.assign(world, { connection: { ...world.connection, ...POOL } }),
    ],
    [
      'an object of the shared account on a free route',
      400,
      {
        path: '/proxy/openai/v1/responses/input_tokens',
        body: JSON.stringify({ model: 'gpt-4o-mini', input: 'hi', conversation: 'conv_1' }),
      },
      () => Object.assign(world, { connection: { ...world.connection, ...POOL } }),
    ],
    ['a model without a price', 402, {}, () => Object.assign(world, { rates: new RateBook([], [], 1) })],
  ])('%s', async (_, status, sent, ...[prepare]) => {
    prepare?.();
    expect(await send(world, sent).got).toMatchObject({ status });
    expectReleased(0);
  });
});

function refuseConnections(code: 'binding_missing' | 'connection_needs_reauth' | 'connection_revoked'): void {
  world.beforeConnect = async () => {
    throw new VendoError(code);
  };
}

describe('a refusal after the ledger was asked ends the hold', () => {
  it.each<[what: string, status: number, reserve: ProxyWorld['reserve']]>([
    ['refused for the balance', 402, refusing('balance_exhausted')],
    ['refused for the daily cap', 429, refusing('spend_cap_daily')],
    ['refused for the monthly cap', 429, refusing('spend_cap_monthly')],
    ['failed', 503, async ({ hold_id }) => ({ status: 'failed', hold_id })],
    ['not answered', 503, () => Promise.reject(new VendoError('billing_unavailable'))],
    ['broken by a bug of ours', 500, () => Promise.reject(new TypeError('a bug'))],
  ])('%s', async (_, status, reserve) => {
    world.reserve = reserve;
    expect(await send(world).got).toMatchObject({ status });
    expectReleased(1);
  });

  it('opened, but older than 10 s', async () => {
    const { reserve } = world;
    world.reserve = async (command) => {
      world.clock.skippedMs += 10_001;
      return reserve(command);
    };
    expect(await send(world).got).toMatchObject({ status: 503 });
    expectReleased(1);
  });

  it('opened, but the call cannot be announced', async () => {
    world.writes = (frame) => frame > 1;
    expect(await send(world).got).toMatchObject({ status: 503 });
    expectReleased(1);
  });

  it('still being asked for when the gateway stops', async () => {
    world.reserve = () => new Promise(() => undefined);
    const { got } = send(world);
    await world.until(() => world.reserved.length > 0, 'the reserve');
    await world.stopProxy();
    expect(await got).toBeNull();
    expect(holdsLeft()).toEqual([]);
  });
});

function refusing(
  code: 'balance_exhausted' | 'spend_cap_daily' | 'spend_cap_monthly',
): ProxyWorld['reserve'] {
  return async ({ hold_id }) => ({ status: 'refused', hold_id, code });
}
