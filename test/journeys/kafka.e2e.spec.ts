import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { LEDGER_TOPIC, POSITION_HEADER, shardOf } from '@vendo/events';
import { Auditor, type Books } from '../harness/books.js';
import { type Customer, type ProductUnderTest, productForTests } from '../harness/index.js';
import { KafkaTopics } from '../harness/kafka-topics.js';
import type { LogKind } from '../harness/log-of-suite.js';
import { STREAM_MODELS, STREAM_RATES } from '../harness/stream-models.js';
import { Traffic } from '../harness/streams.js';

const CREDIT_MICROS = 100_000_000;
const CALLS = 400;
const AT_ONCE = 16;

/** What a load came to, without times and ids. */
interface Outcome {
  usage: unknown;
  balanceMicros: number;
  entries: number[];
  books: Books;
}

describe('the product over Kafka', () => {
  let product: ProductUnderTest;
  let auditor: Auditor;
  let customer: Customer;
  let overPostgres: Outcome;
  let topics: KafkaTopics;

  beforeAll(async () => {
    await begin('postgres');
    await load();
    overPostgres = await outcome();
    await end();
    await begin('kafka');
    topics = new KafkaTopics(product.kafkaBrokers ?? '');
  });
  afterAll(() => end());

  async function begin(log: LogKind): Promise<void> {
    product = await productForTests({ log });
    auditor = new Auditor(product.urls.database, product.kafkaBrokers);
    customer = await product.customer({ creditMicros: CREDIT_MICROS });
  }

  async function end(): Promise<void> {
    await auditor?.close();
    await product?.stop();
  }

  /** The same calls each time, as many at once as an app would make. */
  async function load(): Promise<void> {
    let next = 0;
    const client = async (): Promise<void> => {
      while (next < CALLS) await call(next++);
    };
    await Promise.all(Array.from({ length: AT_ONCE }, client));
  }

  async function call(index: number): Promise<void> {
    const [provider, route, model] =
      index % 2 === 0
        ? ['openai', 'chat/completions', 'gpt-4o-mini']
        : ['anthropic', 'messages', 'claude-haiku-4-5'];
    const answer = await fetch(`${product.proxyUrl(provider ?? '')}/v1/${route}`, {
      method: 'POST',
      headers: { authorization: `Bearer ${customer.key}`, 'content-type': 'application/json' },
      body: JSON.stringify({
        model,
        max_tokens: 200,
        stream: index % 4 < 2,
        messages: [{ role: 'user', content: `Question ${index}: ${'why '.repeat(index % 23)}?` }],
      }),
    });
    const text = await answer.text();
    if (answer.status !== 200) throw new Error(`call ${index} answered ${answer.status}: ${text}`);
  }

  async function outcome(): Promise<Outcome> {
    await everythingTold();
    const { start: _start, end: _end, as_of: _asOf, ...usage } = await customer.billing.usage('month');
    const entries = await auditor.rows<{ amount_micros: string }>(
      'select amount_micros from read.wallet_entries where tenant_id = $1 order by amount_micros, seq',
      [customer.tenantId],
    );
    return {
      usage,
      balanceMicros: (await customer.billing.balance()).credits_remaining_micros,
      entries: entries.map(({ amount_micros }) => Number(amount_micros)),
      books: await auditor.books(),
    };
  }

  /** The last settlement is posted, and the read model of the wallets stands where the journal stands. */
  async function everythingTold(): Promise<void> {
    await product.settled(customer.tenantId);
    await product.waitUntil(async () => {
      const [row] = await auditor.rows<{ behind: number }>(
        `select count(*)::int as behind from ledger.shards s left join read.checkpoints c
           on c.projection = 'wallet' and c.topic = '${LEDGER_TOPIC}' and c.partition = s.shard
         where s.position > coalesce(c.position, 0)`,
      );
      const [usage] = await auditor.rows<{ missing: number }>(
        `select count(*)::int as missing from ledger.journal j
         where kind in ('settled', 'late') and not exists (select from read.usage_events u where u.hold_id = j.hold_id)`,
      );
      return row?.behind === 0 && usage?.missing === 0;
    }, 'everything is told');
  }

  it('comes to the same usage, balance and entries as over Postgres, to the micro', async () => {
    await load();
    await everythingTold();
    const { violations, repeats } = await topics.report(auditor);
    expect(violations).toEqual([]);
    expect(repeats).toEqual({ gateway: 0, ledger: 0 });
    const overKafka = await outcome();
    expect(overKafka).toEqual(overPostgres);
    expect(overKafka.usage).toMatchObject({ calls: CALLS });
    expect(overKafka.books).toEqual({
      violations: [],
      usageEvents: CALLS,
      settlements: CALLS,
      expired: 0,
      openHolds: 0,
    });
  });

  it('carries the journal whole and in order though its relay is killed again and again', async () => {
    await product.admin.importRates(STREAM_RATES);
    const model = STREAM_MODELS.halfASecond;
    for (const provider of ['openai', 'anthropic']) await product.ratesAreIn(provider, model, customer.key);
    const traffic = new Traffic(AT_ONCE, { gatewayUrl: product.urls.gateway, key: customer.key, model });
    for (let kill = 0; kill < 4; kill += 1) {
      const before = traffic.complete;
      await product.waitUntil(() => traffic.complete > before + AT_ONCE, 'calls are answered');
      await product.kill('ledger', 'SIGKILL');
      await product.start('ledger');
    }
    const seen = await traffic.stop();
    await everythingTold();
    expect((await topics.report(auditor)).violations).toEqual([]);
    expect((await auditor.books()).violations).toEqual([]);
    expect(await auditor.unbilled(seen)).toEqual([]);
    expect(seen.filter(({ complete }) => complete).length).toBeGreaterThan(4 * AT_ONCE);
  }, 90_000);

  it('drops what a killed relay says again, and its last append when that lands late', async () => {
    const shard = shardOf(customer.tenantId);
    await product.kill('ledger', 'SIGKILL');
    const journal = (await topics.read(LEDGER_TOPIC)).filter(({ partition }) => partition === shard);
    const old = journal.filter(({ headers }) => Number(headers[POSITION_HEADER]) <= 100);
    await topics.append(LEDGER_TOPIC, shard, old);
    await product.start('ledger');
    await load();
    await everythingTold();

    // The relay goes on after the last position that it finds, and that is an old one.
    const { violations, repeats } = await topics.report(auditor);
    expect(violations).toEqual([]);
    expect(repeats.ledger).toBeGreaterThanOrEqual(journal.length);
    expect((await auditor.books()).violations).toEqual([]);
  });

  it('builds the same read models again from offset 0, repeats and all', async () => {
    const before = await auditor.readModels();
    await product.kill('projector', 'SIGKILL');
    await auditor.forgetReadModels();
    await product.start('projector');
    await everythingTold();
    expect(await auditor.readModels()).toEqual(before);
  });

  it('had no death but those that were asked for', () => expect(product.deaths()).toEqual([]));
});
