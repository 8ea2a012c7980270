import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Auditor } from './books.js';
import { type Customer, type ProductUnderTest, productForTests } from './product-under-test.js';
import { STREAM_MODELS, STREAM_RATES } from './stream-models.js';
import { ClientStream, type SeenAnswer, type StreamRequest } from './streams.js';

const CLIENTS = 12;
/** As long as the SDKs wait before their first retry. */
const RETRY_AFTER_MS = 500;
const REST_MS = 2_000;

/** Clients of a load balancer that try a failed call once more, at the next gateway. */
class RetryingClients {
  readonly seen: SeenAnswer[] = [];
  /** Calls that failed twice, as the client saw them. */
  readonly failed: SeenAnswer[][] = [];
  retried = 0;
  private stopping = false;
  private readonly clients: Promise<void>[];

  constructor(gatewayUrls: readonly string[], request: (turn: number) => Omit<StreamRequest, 'gatewayUrl'>) {
    const attempt = async (gateway: number, call: Omit<StreamRequest, 'gatewayUrl'>): Promise<SeenAnswer> => {
      const gatewayUrl = gatewayUrls[gateway % gatewayUrls.length] ?? '';
      const answer = await new ClientStream({ ...call, gatewayUrl }).over;
      this.seen.push(answer);
      return answer;
    };
    this.clients = Array.from({ length: CLIENTS }, async (_, nth) => {
      for (let call = nth; !this.stopping; call += 1) {
        const first = await attempt(call, request(call));
        if (first.complete) continue;
        this.retried += 1;
        await later(RETRY_AFTER_MS);
        const second = await attempt(call + 1, request(call));
        if (!second.complete) this.failed.push([first, second]);
      }
    });
  }

  async stop(): Promise<void> {
    this.stopping = true;
    await Promise.all(this.clients);
  }
}

/** The story of a new version that comes in while people call. */
export function tellRollingRestart(): void {
  describe('two of each that are restarted one after the other under load', () => {
    let product: ProductUnderTest;
    let auditor: Auditor;
    let customer: Customer;
    let clients: RetryingClients;

    beforeAll(async () => {
      product = await productForTests({ instances: { gateway: 2, ledger: 2, projector: 2 } });
      auditor = new Auditor(product.urls.database, product.kafkaBrokers);
      await product.admin.importRates(STREAM_RATES);
      customer = await product.customer({ creditMicros: 100_000_000, spend_cap_daily: 90 });
      for (const provider of ['openai', 'anthropic'])
        await product.ratesAreIn(provider, STREAM_MODELS.halfASecond, customer.key);
    });
    afterAll(async () => {
      await clients?.stop();
      await auditor?.close();
      await product?.stop();
    });

    it('lets no call fail that is tried once more', async () => {
      clients = new RetryingClients(product.urls.gateways, (turn) => ({
        key: customer.key,
        provider: turn % 2 === 0 ? 'openai' : 'anthropic',
        model: turn % 3 === 0 ? STREAM_MODELS.twoSeconds : STREAM_MODELS.halfASecond,
      }));
      await later(REST_MS);
      for (const app of ['ledger', 'gateway', 'projector'] as const)
        for (const name of product.instancesOf(app)) {
          await product.kill(name, 'SIGTERM');
          await product.start(name);
          await later(REST_MS);
        }
      await clients.stop();
      process.stderr.write(
        `rolling restart: ${clients.seen.length} attempts, ${clients.retried} calls were tried again, ${clients.failed.length} failed\n`,
      );
      expect(clients.failed).toEqual([]);
    }, 180_000);

    it('has billed each answer once, and holds nothing', async () => {
      await product.waitUntil(
        async () => (await auditor.openHolds()).length === 0 && (await auditor.onItsWay()).length === 0,
        'everything is settled and told',
        30_000,
        250,
      );
      expect(await auditor.unbilled(clients.seen)).toEqual([]);
      const books = await auditor.books();
      expect(books).toMatchObject({ violations: [], openHolds: 0, expired: 0 });
      expect(books.usageEvents).toBe(books.settlements);
      expect(product.deaths()).toEqual([]);
    }, 60_000);
  });
}

function later(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
