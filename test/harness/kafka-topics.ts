import { GATEWAY_TOPIC, LEDGER_TOPIC, NUMBER_HEADER, POSITION_HEADER, SPOOL_HEADER } from '@vendo/events';
import kafkajs, { type EachBatchPayload, type Kafka } from 'kafkajs';
import type pg from 'pg';

/** A record as it lies in a topic. */
export interface TopicRecord {
  partition: number;
  offset: string;
  key: string;
  headers: Record<string, string>;
  value: Buffer;
}

/** Reads the product's database (the auditor does). */
interface Journal {
  rows<Row extends pg.QueryResultRow>(sql: string): Promise<Row[]>;
}

/** What is said of the topics themselves, beside the books. */
export interface TopicsReport {
  /** Sentences: numbers that are missing or out of turn, and journal rows that differ. Empty is good. */
  violations: string[];
  /** Records that are there again; readers drop them. */
  repeats: { gateway: number; ledger: number };
}

const READ_WITHIN_MS = 30_000;

/** Reads and writes the topics with kafkajs alone, as somebody who trusts no code of ours. */
export class KafkaTopics {
  private readonly kafka: Kafka;

  constructor(brokers: string) {
    this.kafka = new kafkajs.Kafka({ brokers: brokers.split(','), logLevel: kafkajs.logLevel.NOTHING });
  }

  /** A whole topic as it is now, each partition in offset order, without the genesis records. */
  async read(topic: string): Promise<TopicRecord[]> {
    const ends = await this.ends(topic);
    const records: TopicRecord[] = [];
    const consumer = this.kafka.consumer({ groupId: `auditor-${crypto.randomUUID()}`, maxWaitTimeInMs: 100 });
    try {
      await consumer.connect();
      await consumer.subscribe({ topic, fromBeginning: true });
      await new Promise<void>((resolve, reject) => {
        const late = setTimeout(() => reject(new Error(`${topic} could not be read`)), READ_WITHIN_MS);
        const read = ({ batch }: EachBatchPayload): void => {
          records.push(...recordsOf(batch));
          const end = ends.get(batch.partition) ?? 0n;
          if (BigInt(batch.lastOffset()) + 1n >= end) ends.delete(batch.partition);
          if (ends.size > 0) return;
          clearTimeout(late);
          resolve();
        };
        consumer.run({ autoCommit: false, eachBatch: async (payload) => read(payload) }).catch(reject);
      });
    } finally {
      await consumer.disconnect();
    }
    return records.filter(({ headers }) => headers.ce_type !== 'Genesis').sort(byPlace);
  }

  /** Appends records to the end of a partition. */
  async append(topic: string, partition: number, records: readonly TopicRecord[]): Promise<void> {
    const producer = this.kafka.producer({ createPartitioner: kafkajs.Partitioners.DefaultPartitioner });
    await producer.connect();
    const messages = records.map(({ key, headers, value }) => ({ key, headers, value, partition }));
    await producer.send({ topic, messages, acks: -1 });
    await producer.disconnect();
  }

  /**
   * Compares both topics with the numbers of the spools and with the journal.
   */
  async report(database: Journal): Promise<TopicsReport> {
    const [gateway, ledger] = [await this.read(GATEWAY_TOPIC), await this.read(LEDGER_TOPIC)];
    const spools = inTurn(gateway, ({ headers }) => [headers[SPOOL_HEADER], headers[NUMBER_HEADER]]);
    const journal = inTurn(ledger, ({ partition, headers }) => [
      `shard ${partition}`,
      headers[POSITION_HEADER],
    ]);
    return {
      violations: [...spools.violations, ...journal.violations, ...(await differences(database, ledger))],
      repeats: { gateway: spools.repeats, ledger: journal.repeats },
    };
  }

  /** The offset behind the last record, by partition. */
  async ends(topic: string): Promise<Map<number, bigint>> {
    const admin = this.kafka.admin();
    await admin.connect();
    const offsets = await admin.fetchTopicOffsets(topic);
    await admin.disconnect();
    return new Map(offsets.map(({ partition, high }) => [partition, BigInt(high)]));
  }
}

function recordsOf({ partition, messages }: EachBatchPayload['batch']): TopicRecord[] {
  return messages.map(({ offset, key, headers, value }) => ({
    partition,
    offset,
    key: String(key ?? ''),
    headers: Object.fromEntries(Object.entries(headers ?? {}).map(([name, text]) => [name, String(text)])),
    value: value ?? Buffer.alloc(0),
  }));
}

function byPlace(a: TopicRecord, b: TopicRecord): number {
  return a.partition - b.partition || Number(BigInt(a.offset) - BigInt(b.offset));
}

/** Each stream counts from 1 and leaves out nothing; a number that was there before is a repeat. */
function inTurn(
  records: readonly TopicRecord[],
  place: (record: TopicRecord) => [stream: string | undefined, number: string | undefined],
): { violations: string[]; repeats: number } {
  const lasts = new Map<string, number>();
  const violations: string[] = [];
  let repeats = 0;
  for (const record of records) {
    const [stream, text] = place(record);
    const name = `${stream}, partition ${record.partition}`;
    const [last, number] = [lasts.get(name) ?? 0, Number(text)];
    if (number > last + 1 || !Number.isSafeInteger(number))
      violations.push(`${name}: ${text} follows ${last}`);
    if (number <= last) repeats += 1;
    else lasts.set(name, number);
  }
  return { violations, repeats };
}

/** Every row of the journal is in the topic as it is in the database, and nothing else is. */
async function differences(database: Journal, ledger: readonly TopicRecord[]): Promise<string[]> {
  const rows = await database.rows<{ part: number; off: string; value: Buffer }>(
    'select part, off, value from log.ledger_events where off > 0',
  );
  const journal = new Map(rows.map(({ part, off, value }) => [`${part}/${off}`, value]));
  const carried = new Set<string>();
  const violations: string[] = [];
  for (const { partition, headers, value } of ledger) {
    const place = `${partition}/${headers[POSITION_HEADER]}`;
    carried.add(place);
    if (!journal.get(place)?.equals(value)) violations.push(`the topic's ${place} is not the journal's`);
  }
  for (const place of journal.keys()) if (!carried.has(place)) violations.push(`${place} was not carried`);
  return violations;
}
