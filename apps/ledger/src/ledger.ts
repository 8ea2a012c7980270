import { EventLog, migrateLog } from '@vendo/event-log';
import { SHARD_COUNT } from '@vendo/events';
import type pg from 'pg';
import type { Expiry } from './expiry/expiry.js';
import { migrateLedger } from './migrate-ledger.js';
import type { Relay } from './relay/relay.js';
import type { Settlements } from './settlement/settlements.js';
import type { WaitingCorrections } from './settlement/waiting-corrections.js';
import type { Shards } from './writer/shards.js';
import type { Writer } from './writer/writer.js';

/** The ledger's parts in the order in which they begin and end. */
export interface LedgerParts {
  /** A pool of the database's owner, for migrations only. */
  ownerPool: pg.Pool;
  /** The writer's pool, and whatever else is to be ended at the very last. */
  pools: pg.Pool[];
  log: EventLog;
  writer: Writer;
  shards: Shards;
  settlements: Settlements;
  corrections: WaitingCorrections;
  expiry: Expiry;
  /** Null where the log is in Postgres: there the journal is the topic. */
  relay: Relay | null;
}

export class Ledger {
  constructor(private readonly parts: LedgerParts) {}

  /** Migrates, makes the topics, takes the shards that are to be had, loads what is open in them, and begins. Throws when any of it fails. */
  async start(): Promise<void> {
    const { ownerPool, log, shards, expiry, corrections } = this.parts;
    await migrateLog(ownerPool);
    await migrateLedger(ownerPool);
    await ownerPool.end();
    await log.createTopics(SHARD_COUNT);
    await shards.start();
    expiry.start();
    corrections.start();
  }

  /** Decides what waits and gives the shards back at once; reserves are sent to whoever takes them. */
  async quiesce(): Promise<void> {
    const { settlements, corrections, expiry, relay, shards } = this.parts;
    await Promise.all([settlements.stop(), corrections.stop(), expiry.stop(), relay?.stop()]);
    await shards.stop();
  }

  async stop(): Promise<void> {
    await this.parts.writer.stop();
    await Promise.all(this.parts.pools.map((pool) => pool.end()));
  }
}
