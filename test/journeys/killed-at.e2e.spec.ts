import http from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Auditor } from '../harness/books.js';
import { HELD_MODEL, HELD_RATES, HELD_SCENES, type HeldScene } from '../harness/held-answers.js';
import { HoldingUpstream } from '../harness/holding-upstream.js';
import { type Customer, type ProductUnderTest, productForTests } from '../harness/index.js';

/** Where in its answer a call is when the gateway is killed: so many parts have come to the client. */
const POINTS = {
  'before the headers': null,
  'at the first byte': 0,
  'after the first part': 1,
  'before the usage report': 2,
  'after the usage report': 3,
  'after the last byte': 4,
} as const;

/** What the gateway tells of a call, in order; of one that it could not end the first alone. */
const FRAMES = ['HoldReserved.v1', 'UsageMeasured.v2', 'HoldSettled.v1'];
/** Of a job it is the next gateway that tells the end. */
const JOB_FRAMES = [FRAMES[0], 'JobStarted.v1', ...FRAMES.slice(1)];
const PROVIDERS = [...new Set(Object.values(HELD_SCENES).map(({ provider }) => provider))];
/** A customer is bound to these as it is made. */
const BOUND = ['openai', 'anthropic'];
/** The holds of a gateway that is gone end after so much of its silence. */
const SILENCE_MS = 20_000;
const EXPIRED_WITHIN_MS = SILENCE_MS + 15_000;
interface Cell {
  name: string;
  scene: HeldScene;
  parts: number | null;
  /** The end of the call was on the disk before the client had what it has. */
  settled: boolean;
}

const CELLS: Cell[] = Object.entries(HELD_SCENES).flatMap(([scene, of]) =>
  Object.entries(POINTS).map(([point, parts]) => ({
    name: `${scene}, ${point}`,
    scene: of,
    parts,
    settled: parts !== null && parts >= of.endsWith,
  })),
);

/** A call whose client waits for what the provider sends before it stops. */
interface StandingCall {
  cell: Cell;
  customer: Customer;
  received: () => string | null;
}

describe(`a gateway is killed while ${CELLS.length} calls stand at every point of their answers`, () => {
  let upstream: HoldingUpstream;
  let product: ProductUnderTest;
  let auditor: Auditor;
  const standing = new Map<string, StandingCall>();
  const kinds = new Map<string, string[]>();
  const balances = new Map<string, number>();
  const CREDIT_MICROS = 10_000_000;

  beforeAll(async () => {
    upstream = await HoldingUpstream.start();
    product = await productForTests({
      upstreams: Object.fromEntries(PROVIDERS.map((provider) => [provider, upstream.url])),
      env: { VENDO_SPOOL_SILENCE_MS: String(SILENCE_MS), VENDO_JOBS_POLL_MS: '500' },
    });
    auditor = new Auditor(product.urls.database, product.kafkaBrokers);
    await product.admin.importRates(HELD_RATES);
    const customers = await Promise.all(CELLS.map(customerOf));
    const bystander = await product.customer();
    for (const provider of BOUND) await product.ratesAreIn(provider, HELD_MODEL, bystander.key);
    for (const { report } of Object.values(HELD_SCENES)) if (report) tell(report);
    CELLS.forEach((cell, nth) => {
      standing.set(cell.name, call(cell, customers[nth] as Customer));
    });
    for (const { cell, received } of standing.values())
      await product.waitUntil(() => received() === sentOf(cell), `${cell.name}: what the client shall have`);
    await product.kill('gateway', 'SIGKILL');
    await product.start('gateway');
    await product.waitUntil(
      async () => (await auditor.openHolds()).length === 0,
      'no hold is open',
      EXPIRED_WITHIN_MS,
      500,
    );
    await product.waitUntil(async () => (await auditor.onItsWay()).length === 0, 'nothing is on its way');
    for (const { cell, customer } of standing.values()) {
      const rows = await auditor.rows<{ kind: string }>(
        `select kind from ledger.journal where tenant_id = $1 and hold_id is not null order by seq`,
        [customer.tenantId],
      );
      kinds.set(
        cell.name,
        rows.map(({ kind }) => kind),
      );
      const [wallet] = await auditor.rows<{ balance: number; held: number }>(
        `select balance_micros::int as balance, held_micros::int as held from read.wallet_balances where tenant_id = $1`,
        [customer.tenantId],
      );
      expect(wallet?.held).toBe(0);
      balances.set(cell.name, wallet?.balance ?? Number.NaN);
    }
  }, 150_000);

  afterAll(async () => {
    await auditor?.close();
    await product?.stop();
    await upstream?.stop();
  });

  async function customerOf({ scene: { provider } }: Cell): Promise<Customer> {
    const customer = await product.customer({ creditMicros: CREDIT_MICROS });
    if (!BOUND.includes(provider)) await product.admin.bind(customer.appId, provider);
    return customer;
  }

  /** The gateway asks for it by its path. */
  function tell({ path, answer }: NonNullable<HeldScene['report']>): void {
    upstream.hold(path, {
      contentType: 'application/json',
      sent: JSON.stringify(answer),
      length: null,
      whole: true,
    });
  }

  function call(cell: Cell, { key, ...customer }: Customer): StandingCall {
    const { scene, name } = cell;
    const whole = scene.parts.join('');
    upstream.hold(name, {
      contentType: scene.contentType,
      sent: sentOf(cell),
      length: scene.contentType === 'text/event-stream' ? null : Buffer.byteLength(whole),
      whole: cell.parts === scene.parts.length,
    });
    const { hostname, port } = new URL(product.urls.gateway);
    let received: string | null = null;
    const request = http.request(
      {
        hostname,
        port,
        path: `/proxy/${scene.provider}${scene.path}`,
        method: 'POST',
        agent: false,
        headers: {
          authorization: `Bearer ${key}`,
          'content-type': 'application/json',
          'anthropic-version': '2023-06-01',
          [HoldingUpstream.HEADER]: name,
        },
      },
      (response) => {
        received = response.statusCode === 200 ? '' : `status ${response.statusCode}`;
        response.on('data', (chunk: Buffer) => {
          received += chunk.toString();
        });
        response.on('error', () => undefined);
      },
    );
    request.on('error', () => undefined);
    request.end(JSON.stringify(scene.request));
    // Without an answer it stands where it shall as soon as the provider has it.
    return {
      cell,
      customer: { key, ...customer },
      received: () => (cell.parts === null && !upstream.hasSeen(name) ? '' : received),
    };
  }

  it.each(CELLS)(
    '$name: is settled once where its end, or its job, had been written, else its hold expires',
    (cell) => {
      expect(kinds.get(cell.name)).toEqual(['opened', cell.settled ? 'settled' : 'expired']);
      expect(balances.get(cell.name)).toBe(CREDIT_MICROS - (cell.settled ? cell.scene.cost : 0));
    },
  );

  it('has lost and doubled nothing: invariants 1 to 5', async () => {
    const settled = CELLS.filter((cell) => cell.settled).length;
    expect(await auditor.books()).toMatchObject({
      violations: [],
      openHolds: 0,
      usageEvents: settled,
      expired: CELLS.length - settled,
    });
  });

  // Behind the books: on Kafka those copy the topic to where this reads it. A spool may ship a frame again.
  it('has told finance of every call that reached the provider', async () => {
    const rows = await auditor.rows<{ tenant: string; type: string }>(
      `select tenant, type from (
         select distinct on (headers ->> 'ce_id') headers ->> 'ce_subject' as tenant, headers ->> 'ce_type' as type, "offset"
         from log.records where topic = 'gateway.events' and headers ->> 'ce_type' = any($1)
         order by headers ->> 'ce_id', "offset") told
       order by "offset"`,
      [JOB_FRAMES],
    );
    for (const { cell, customer } of standing.values()) {
      const frames = cell.scene.report ? JOB_FRAMES : FRAMES;
      expect(rows.filter(({ tenant }) => tenant === customer.tenantId).map(({ type }) => type)).toEqual(
        cell.settled ? frames : frames.slice(0, 1),
      );
    }
  });
});

/** Null: the provider sends no headers. */
function sentOf({ scene, parts }: Cell): string | null {
  return parts === null ? null : scene.parts.slice(0, parts).join('');
}
