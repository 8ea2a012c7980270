import { existsSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Auditor } from '../harness/books.js';
import { type Customer, type ProductUnderTest, productForTests } from '../harness/index.js';
import { STREAM_MODELS, STREAM_RATES } from '../harness/stream-models.js';
import { openStreams, type SeenAnswer } from '../harness/streams.js';

const ANSWERED = 20;
const CUT = 5;
/** A look through the shared folder every 10 s, and what Postgres and ledger need to be back. */
const ADOPTED_WITHIN_MS = 30_000;
/** The holds of a gateway that is gone end after so much silence, which begins anew when Postgres is back. */
const SILENCE_MS = 25_000;
const EXPIRED_WITHIN_MS = SILENCE_MS + 15_000;

describe('two gateways on one volume, of which one dies for good with answers that it had measured and not shipped', () => {
  let product: ProductUnderTest;
  let auditor: Auditor;
  let customer: Customer;
  let answered: SeenAnswer[];
  let cut: SeenAnswer[];
  let dead: string;
  let heir: string;
  let backAt: number;

  beforeAll(async () => {
    product = await productForTests({
      instances: { gateway: 2 },
      sharedSpool: true,
      env: { VENDO_SPOOL_SILENCE_MS: String(SILENCE_MS) },
    });
    auditor = new Auditor(product.urls.database, product.kafkaBrokers);
    await product.admin.importRates(STREAM_RATES);
    customer = await product.customer();
    [heir, dead] = [await spoolOf('gateway'), await spoolOf('gateway-2')];
    await product.waitUntil(async () => (await call(product.urls.gateways[1])).complete, 'a price at both');

    const streamsOf = (model: string) => ({
      gatewayUrl: product.urls.gateways[1] ?? '',
      key: customer.key,
      model,
    });
    const long = await openStreams(CUT, streamsOf(STREAM_MODELS.untilReleased));
    const short = await openStreams(ANSWERED, streamsOf(STREAM_MODELS.twoSeconds));
    await product.kill('postgres', 'SIGKILL');
    answered = await Promise.all(short.map(({ over }) => over));
    await product.kill('gateway-2', 'SIGKILL');
    cut = await Promise.all(long.map(({ over }) => over));
    await product.start('postgres');
    backAt = performance.now();
  });

  afterAll(async () => {
    await auditor?.close();
    await product?.stop();
  });

  /** The one whose header names the process. */
  async function spoolOf(gateway: 'gateway' | 'gateway-2'): Promise<string> {
    const folder = path.join(product.dataFolder, 'spool');
    for (const id of await readdir(folder)) {
      const header = JSON.parse(await readFile(path.join(folder, id, 'header.json'), 'utf8')) as {
        pid: number;
      };
      if (header.pid === product.pid(gateway)) return id;
    }
    throw new Error(`${gateway} has no spool in ${folder}`);
  }

  async function call(gatewayUrl = ''): Promise<SeenAnswer> {
    const [stream] = await openStreams(1, {
      gatewayUrl,
      key: customer.key,
      model: STREAM_MODELS.halfASecond,
    });
    return (stream as NonNullable<typeof stream>).over;
  }

  it('answered in full while nothing could be shipped, and then no more', () => {
    expect(answered.filter(({ complete }) => !complete)).toEqual([]);
    expect(cut.filter(({ complete, status }) => complete || status !== 200)).toEqual([]);
  });

  it('has each full answer billed by the other one, which ships the spool of the dead on', async () => {
    await product.waitUntil(
      async () => (await auditor.unbilled(answered)).length === 0,
      'every answer is billed',
      ADOPTED_WITHIN_MS,
      100,
    );
    process.stderr.write(
      `${ANSWERED} answers of a dead gateway are billed ${(performance.now() - backAt).toFixed(0)} ms after Postgres is back\n`,
    );
    const { spools } = await product.admin.call<{ spools: { id: string; owner: string | null }[] }>(
      'GET',
      '/spools',
    );
    expect(new Map(spools.map(({ id, owner }) => [id, owner]))).toEqual(
      new Map([
        [heir, null],
        [dead, heir],
      ]),
    );
    await product.waitUntil(
      () => existsSync(path.join(product.dataFolder, 'spool', dead, 'shipped.json')),
      'the marks are at its end',
    );
  }, 60_000);

  it('holds nothing any more after its silence: the answers that were cut expired', async () => {
    expect(await auditor.openHolds()).toHaveLength(CUT);
    await product.waitUntil(
      async () => (await auditor.openHolds()).length === 0,
      'no hold is open',
      EXPIRED_WITHIN_MS,
      500,
    );
    process.stderr.write(
      `the last hold of a dead gateway ends ${(performance.now() - backAt).toFixed(0)} ms after Postgres is back\n`,
    );
  }, 90_000);

  it('goes on with the one that is left, in books without a fault', async () => {
    expect(await call(product.urls.gateway)).toMatchObject({ complete: true });
    await product.waitUntil(
      async () => (await auditor.openHolds()).length === 0 && (await auditor.onItsWay()).length === 0,
      'everything is settled and told',
    );
    // Beside the answers: the call that found the prices, and the one just now.
    const billed = ANSWERED + 2;
    expect(await auditor.books()).toEqual({
      violations: [],
      usageEvents: billed,
      settlements: billed,
      expired: CUT,
      openHolds: 0,
    });
    expect(product.deaths()).toEqual([]);
  });
});
