import { migrateLog } from '@vendo/event-log';
import { encodeEvent, NUMBER_HEADER, SPOOL_HEADER, shardOf, type VendoEvent } from '@vendo/events';
import { type Clock, createLogger, createPool, Health, SystemClock } from '@vendo/runtime';
import type pg from 'pg';
import { v4 as uuidv4, v7 as uuidv7 } from 'uuid';
import type { FencedError, Journal } from '../journal/journal.js';
import type { Leases, Taking } from '../journal/leases.js';
import { WRITER_SESSION } from '../journal/writer-session.js';
import { migrateLedger } from '../migrate-ledger.js';
import { readReport } from '../settlement/read-report.js';
import type { Grant, Reserve } from '../wallet/wallet.js';
import { Shards } from './shards.js';
import type { Report } from './work.js';
import { Writer } from './writer.js';
import type { CommittedBatch, WriterObserver } from './writer-observer.js';

export const SUBJECT = '00000000-0000-4000-8000-00000000000a';
export const SPOOL = '00000000-0000-4000-8000-0000000000ff';

/** A writer with its shards, and what it told, for specs on a real Postgres. */
export interface WriterUnderTest {
  id: string;
  writer: Writer;
  shards: Shards;
  health: Health;
  batches: CommittedBatch[];
  fences: FencedError[];
  takings: Taking[];
  gained: number[];
  lost: number[];
  dropped: number;
  /** Gives everything back and ends. */
  stop(): Promise<void>;
}

/** What the writer stands on, as the spec opens it. */
export interface WriterPorts {
  journal: Journal;
  leases: Leases;
}

export interface WriterOptions {
  clock?: Clock;
  url?: string;
  observe?: Partial<WriterObserver>;
}

export async function prepareDatabase(url: string): Promise<pg.Pool> {
  const pool = createPool(url, { app: 'spec', max: 6 });
  await migrateLog(pool);
  await migrateLedger(pool);
  return pool;
}

export function writerPool(url: string): pg.Pool {
  return createPool(url, { app: 'spec writer', max: 4, settings: WRITER_SESSION });
}

/** Starts a writer that takes the shards that are to be had. */
export async function startWriter(
  { journal, leases }: WriterPorts,
  { clock = new SystemClock(), url, observe }: WriterOptions = {},
): Promise<WriterUnderTest> {
  const logger = createLogger('spec', 'silent');
  const health = new Health();
  const id = uuidv7();
  const told = { batches: [], fences: [], takings: [], gained: [], lost: [], dropped: 0 };
  const test = { id, health, ...told } as unknown as WriterUnderTest;
  test.writer = new Writer(journal, clock, logger, {
    committed: (batch) => {
      test.batches.push(batch);
      observe?.committed?.(batch);
    },
    gained: (gained) => {
      test.gained.push(...gained);
      observe?.gained?.(gained);
    },
    lost: (lost) => {
      test.lost.push(...lost);
      observe?.lost?.(lost);
    },
    fenced: (error) => test.fences.push(error),
    dropped: () => {
      test.dropped += 1;
      test.shards.doubt();
    },
  });
  test.shards = new Shards({
    leases,
    journal,
    writer: test.writer,
    clock,
    health,
    logger,
    id,
    url: () => url ?? null,
    taken: (takings) => test.takings.push(...takings),
  });
  test.stop = async () => {
    await test.shards.stop();
    await test.writer.stop();
  };
  await test.shards.start();
  return test;
}

/** Resolves when it holds. Throws after `withinMs`. */
export async function until(holds: () => boolean | Promise<boolean>, withinMs = 5_000): Promise<void> {
  const endMs = performance.now() + withinMs;
  while (!(await holds())) {
    if (performance.now() > endMs) throw new Error(`it did not become so in ${withinMs} ms`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
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
