import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { SystemClock } from '@vendo/runtime';
import { HttpLedgerClient } from './http.ledger-client.js';
import type { ReserveCommand } from './schemas.js';

const SPOOL = { id: '00000000-0000-4000-8000-0000000000ff', host: 'h' };
const TENANT = '00000000-0000-4000-8000-000000000001';
const TOKEN = 'internal-token-of-the-spec';

interface Asked {
  path: string | undefined;
  authorization: string | undefined;
  body: string;
}

let server: Server;
let client: HttpLedgerClient;
let asked: Asked[];
let inFlight: number;
let mostInFlight: number;
/** Decides each answer; null: the connection is cut without one. */
let answer: (asked: Asked) => Promise<{ status: number; body: unknown } | null>;

beforeEach(async () => {
  asked = [];
  inFlight = 0;
  mostInFlight = 0;
  server = createServer(async (request, response) => {
    inFlight += 1;
    mostInFlight = Math.max(mostInFlight, inFlight);
    const { url, headers } = request;
    const seen = { path: url, authorization: headers.authorization, body: await bodyOf(request) };
    asked.push(seen);
    const given = await answer(seen);
    inFlight -= 1;
    if (given === null) return request.socket.destroy();
    response.writeHead(given.status, { 'content-type': 'application/json' }).end(JSON.stringify(given.body));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  client = new HttpLedgerClient(`http://127.0.0.1:${port}`, TOKEN, new SystemClock());
});

afterEach(async () => {
  await client.close();
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

const command = (n: number): ReserveCommand => ({
  hold_id: `00000000-0000-4000-8000-${String(n).padStart(12, '0')}`,
  tenant_id: TENANT,
  subject: TENANT,
  amount_micros: n,
  rate_version: 1,
});

async function openAll({ body }: Asked) {
  const { commands } = JSON.parse(body) as { commands: ReserveCommand[] };
  const reserved_at = '2026-11-21T10:00:00.000Z';
  const answers = commands.map(({ hold_id }) => ({ status: 'open', hold_id, reserved_at, rate_version: 1 }));
  return { status: 200, body: { answers } };
}

describe('the ledger’s client', () => {
  it('sends the commands of one tick in one request, with the token, and answers each', async () => {
    answer = openAll;
    const answers = await Promise.all([1, 2, 3].map((n) => client.reserve(SPOOL, command(n))));
    expect(answers.map(({ hold_id }) => hold_id)).toEqual([1, 2, 3].map((n) => command(n).hold_id));
    expect(asked).toHaveLength(1);
    expect(asked[0]).toMatchObject({ path: '/internal/reserve', authorization: `Bearer ${TOKEN}` });
  });

  it('has at most two requests in flight, and what waits travels together', async () => {
    answer = async (seen) => {
      await new Promise((resolve) => setTimeout(resolve, 60));
      return openAll(seen);
    };
    const answers: Promise<unknown>[] = [];
    for (let n = 1; n <= 20; n++) {
      answers.push(client.reserve(SPOOL, command(n)));
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
    await Promise.all(answers);
    expect(mostInFlight).toBe(2);
    expect(asked.length).toBeLessThan(8);
  });

  it.each([
    ['a cut connection', null],
    ['503', { status: 503, body: { error: { code: 'billing_unavailable', message: '' } } }],
    ['an answer that is not readable', { status: 200, body: 'what' }],
  ])('sends the same bytes again after %s', async (_, first) => {
    answer = async (seen) => (asked.length === 1 ? first : openAll(seen));
    expect(await client.reserve(SPOOL, command(1))).toMatchObject({ status: 'open' });
    expect(asked.map(({ body }) => body)).toEqual([asked[0]?.body, asked[0]?.body]);
  });

  it('never asks again for what is decided', async () => {
    answer = async () => ({
      status: 200,
      body: { answers: [{ status: 'refused', hold_id: command(1).hold_id, code: 'balance_exhausted' }] },
    });
    expect(await client.reserve(SPOOL, command(1))).toMatchObject({ code: 'balance_exhausted' });
    answer = async () => ({ status: 400, body: { error: { code: 'invalid_request', message: 'no' } } });
    await expect(client.reserve(SPOOL, command(2))).rejects.toMatchObject({ code: 'invalid_request' });
    expect(asked).toHaveLength(2);
  });

  it('gives up six seconds after the first send, and not before', async () => {
    answer = async () => ({ status: 503, body: {} });
    const startedMs = performance.now();
    await expect(client.reserve(SPOOL, command(1))).rejects.toMatchObject({ code: 'billing_unavailable' });
    expect(performance.now() - startedMs).toBeGreaterThan(5_900);
    expect(performance.now() - startedMs).toBeLessThan(7_000);
    expect(asked.length).toBeGreaterThan(5);
  }, 10_000);

  it('says which refusal an operator’s command met', async () => {
    answer = async () => ({
      status: 409,
      body: { error: { code: 'idempotency_conflict', message: 'other' } },
    });
    const credit = { tenant_id: TENANT, amount_micros: 1, source: 's', note: null, idempotency_key: 'k' };
    await expect(client.grantCredit(credit)).rejects.toMatchObject({ code: 'idempotency_conflict' });
    answer = async () => ({ status: 401, body: { error: { code: 'unauthorized', message: 'wrong token' } } });
    await expect(client.grantCredit(credit)).rejects.toMatchObject({ code: 'billing_unavailable' });
    answer = async () => null;
    await expect(client.spools()).rejects.toMatchObject({ code: 'billing_unavailable' });
  });
});

async function bodyOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString('utf8');
}
