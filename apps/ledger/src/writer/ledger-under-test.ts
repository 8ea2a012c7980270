import { migrateLog } from '@vendo/event-log';
import { encodeEvent, NUMBER_HEADER, SPOOL_HEADER, shardOf, type VendoEvent } from '@vendo/events';
import { createLogger, createPool, SystemClock } from '@vendo/runtime';
import type pg from 'pg';
import { v4 as uuidv4 } from 'uuid';
import type { FencedError, Journal } from '../journal/journal.js';
import { migrateLedger } from '../migrate-ledger.js';
import { readReport } from '../settlement/read-report.js';
import type { Grant, Reserve } from '../wallet/wallet.js';
import type { Report } from './work.js';
import { type CommittedBatch, Writer } from './writer.js';

export const SUBJECT = '00000000-0000-4000-8000-00000000000a';
export const SPOOL = '00000000-0000-4000-8000-0000000000ff';

/** A writer with what it told, for specs on a real Postgres. */
export interface WriterUnderTest {
  writer: Writer;
  batches: CommittedBatch[];
  fences: FencedError[];
  resumed: number;
  dropped: number;
}

export async function prepareDatabase(url: string): Promise<pg.Pool> {
  const pool = createPool(url, { app: 'spec', max: 6 });
  await migrateLog(pool);
  await migrateLedger(pool);
  return pool;
}

export function writerPool(url: string): pg.Pool {
  return createPool(url, {
    app: 'spec writer',
    max: 2,
    settings: { role: 'vendo_ledger', lock_timeout: '2s' },
  });
}

/** Starts a writer that takes all shards. */
export async function startWriter(journal: Journal): Promise<WriterUnderTest> {
  const test = { batches: [], fences: [], resumed: 0, dropped: 0 } as unknown as WriterUnderTest;
  test.writer = new Writer(
    journal,
    new SystemClock(),
    createLogger('spec', 'silent'),
    {
      committed: (batch) => test.batches.push(batch),
      dropped: () => {
        test.dropped += 1;
      },
      resumed: () => {
        test.resumed += 1;
      },
      fenced: (error) => test.fences.push(error),
    },
    uuidv4(),
  );
  await test.writer.start();
  return test;
}

export function grant(tenantId: string, amount: bigint, key: string = uuidv4()): Grant {
  return {
    type: 'grant',
    tenantId,
    entryId: uuidv4(),
    amount,
    source: 'test',
    note: null,
    idempotencyKey: key,
  };
}

export function reserve(tenantId: string, amount: bigint, more: Partial<Reserve> = {}): Reserve {
  return {
    type: 'reserve',
    holdId: uuidv4(),
    tenantId,
    subject: SUBJECT,
    amount,
    spoolId: SPOOL,
    rateVersion: 1,
    ...more,
  };
}

/** The end of a hold as an event of the gateway. */
export function settled(tenantId: string, holdId: string, cost: bigint): VendoEvent {
  return {
    id: uuidv4(),
    type: 'HoldSettled.v1',
    tenantId,
    at: new Date().toISOString(),
    data: {
      hold_id: holdId,
      tenant_id: tenantId,
      subject: SUBJECT,
      cost_micros: Number(cost),
      outcome: cost > 0n ? 'completed' : 'not_forwarded',
    },
  };
}

/** Offsets of the log go up over all partitions of a spec, with gaps as on Kafka. */
let lastOffset = 1_000n;

/** What one spool ships on a tenant's partition, numbered from 1 on. */
export class ShippedPartition {
  readonly partition: number;
  private number = 0;

  constructor(
    tenantId: string,
    readonly spool: string = uuidv4(),
  ) {
    this.partition = shardOf(tenantId);
  }

  /** The next record, or with `number` one that repeats or leaves a gap. */
  report(event: VendoEvent, number: number = ++this.number): Report {
    lastOffset += 10n;
    const extensions = { [SPOOL_HEADER]: this.spool, [NUMBER_HEADER]: String(number) };
    const record = { ...encodeEvent(event, '/gateway', extensions), offset: lastOffset };
    return readReport(record, this.partition, 'log-1', lastOffset + 1n);
  }

  /** A record whose value is no event. */
  damaged(tenantId: string, text: string): Report {
    lastOffset += 10n;
    this.number += 1;
    const headers = {
      ce_type: 'HoldSettled.v1',
      [SPOOL_HEADER]: this.spool,
      [NUMBER_HEADER]: String(this.number),
    };
    const record = { key: tenantId, headers, value: Buffer.from(text), offset: lastOffset };
    return readReport(record, this.partition, 'log-1', lastOffset + 1n);
  }
}
