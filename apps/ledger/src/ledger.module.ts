import type { Server } from 'node:http';
import { hostname } from 'node:os';
import {
  type BeforeApplicationShutdown,
  type DynamicModule,
  Inject,
  Module,
  type OnApplicationShutdown,
  type OnModuleInit,
} from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import { CqrsModule } from '@nestjs/cqrs';
import { EventLog, EventLogModule, eventLogConfig } from '@vendo/event-log';
import { Clock, createPool, Health, LOGGER, type Logger, Metrics, RuntimeModule } from '@vendo/runtime';
import { v7 as uuidv7 } from 'uuid';
import type { LedgerConfig } from './config.js';
import { Expiry } from './expiry/expiry.js';
import { SpoolBeats } from './expiry/spool-beats.js';
import { SpoolRows } from './expiry/spool-rows.js';
import { SpoolsController } from './expiry/spools.controller.js';
import { INTERNAL_TOKEN } from './internal.guard.js';
import { JobsController } from './jobs/jobs.controller.js';
import { CommitNotice } from './journal/commit-notice.js';
import { PostgresJournal } from './journal/postgres.journal.js';
import { PostgresLeases } from './journal/postgres.leases.js';
import { WRITER_SESSION } from './journal/writer-session.js';
import { Ledger } from './ledger.js';
import { GrantCreditHandler, SetCapsHandler } from './operator/commands.js';
import { OperatorController } from './operator/operator.controller.js';
import { OPERATOR_POOL } from './operator/operator-pool.js';
import { ParkedRecords } from './operator/parked-records.js';
import { OpenHoldsHandler, OverdueJobsHandler, ParkedHandler, SpoolsHandler } from './operator/queries.js';
import { ReplayHandler } from './operator/replay.js';
import { WriteOffHandler } from './operator/write-off.js';
import { JournalRows } from './relay/journal-rows.js';
import { Relay } from './relay/relay.js';
import { Settlements } from './settlement/settlements.js';
import { WaitingCorrections } from './settlement/waiting-corrections.js';
import { LedgerMetrics } from './writer/ledger-metrics.js';
import { Shards } from './writer/shards.js';
import { WriterController } from './writer/writer.controller.js';
import { Writer } from './writer/writer.js';

/** Everything that the ledger runs, made in one place. */
interface Assembly {
  writer: Writer;
  shards: Shards;
  beats: SpoolBeats;
  spoolRows: SpoolRows;
  operatorPool: ReturnType<typeof createPool>;
  ledger: Ledger;
}

const ASSEMBLY = Symbol('assembly');

@Module({})
export class LedgerModule implements OnModuleInit, BeforeApplicationShutdown, OnApplicationShutdown {
  constructor(@Inject(Ledger) private readonly ledger: Ledger) {}

  static from(config: LedgerConfig): DynamicModule {
    const part = <Name extends keyof Assembly>(token: unknown, name: Name) => ({
      provide: token as symbol,
      useFactory: (assembly: Assembly) => assembly[name],
      inject: [ASSEMBLY],
    });
    return {
      module: LedgerModule,
      imports: [
        RuntimeModule.forApp('ledger', config.VENDO_LOG_LEVEL),
        EventLogModule.from(eventLogConfig(config)),
        CqrsModule.forRoot(),
      ],
      controllers: [WriterController, SpoolsController, JobsController, OperatorController],
      providers: [
        { provide: INTERNAL_TOKEN, useValue: config.VENDO_INTERNAL_TOKEN },
        {
          provide: ASSEMBLY,
          useFactory: (
            log: EventLog,
            clock: Clock,
            health: Health,
            logger: Logger,
            metrics: Metrics,
            host: HttpAdapterHost,
          ) =>
            assemble(config, {
              log,
              clock,
              health,
              logger,
              metrics,
              listeningAt: () => originOf(host, config),
            }),
          inject: [EventLog, Clock, Health, LOGGER, Metrics, HttpAdapterHost],
        },
        part(Ledger, 'ledger'),
        part(Writer, 'writer'),
        part(Shards, 'shards'),
        part(SpoolBeats, 'beats'),
        part(SpoolRows, 'spoolRows'),
        part(OPERATOR_POOL, 'operatorPool'),
        GrantCreditHandler,
        SetCapsHandler,
        WriteOffHandler,
        ReplayHandler,
        ParkedRecords,
        OpenHoldsHandler,
        SpoolsHandler,
        ParkedHandler,
        OverdueJobsHandler,
      ],
    };
  }

  async onModuleInit(): Promise<void> {
    await this.ledger.start();
  }

  async beforeApplicationShutdown(): Promise<void> {
    await this.ledger.quiesce();
  }

  async onApplicationShutdown(): Promise<void> {
    await this.ledger.stop();
  }
}

interface Surroundings {
  log: EventLog;
  clock: Clock;
  health: Health;
  logger: Logger;
  metrics: Metrics;
  /** The origin that this process listens on; null while it does not. */
  listeningAt(): string | null;
}

function assemble(
  config: LedgerConfig,
  { log, clock, health, logger, metrics, listeningAt }: Surroundings,
): Assembly {
  const url = config.DATABASE_URL;
  const ownerPool = createPool(url, { app: 'vendo ledger migrations', max: 2 });
  const writerPool = createPool(url, { app: 'vendo ledger writer', max: 2, settings: WRITER_SESSION });
  const operatorPool = createPool(url, {
    app: 'vendo ledger',
    max: 4,
    settings: WRITER_SESSION,
    answerWithinMs: 5_000,
  });
  const leasePool = createPool(url, {
    app: 'vendo ledger leases',
    max: 1,
    settings: WRITER_SESSION,
    answerWithinMs: 3_000,
  });
  const spoolRows = new SpoolRows(operatorPool);
  const beats = new SpoolBeats(clock, spoolRows);
  const notice = new CommitNotice(operatorPool, logger);
  const relay = config.KAFKA_BROKERS
    ? new Relay(new JournalRows(operatorPool), log, clock, health, logger)
    : null;
  const journal = new PostgresJournal(writerPool);
  const writer: Writer = new Writer(journal, clock, logger, {
    committed: (batch) => {
      counts.committed(batch);
      if (batch.rows.length > 0) notice.send();
      for (const { shard } of batch.rows) relay?.wake(shard);
    },
    gained: (gained) => {
      settlements.gained(gained);
      relay?.gained(gained);
    },
    lost: (lost) => {
      settlements.lost(lost);
      relay?.lost(lost);
    },
    fenced: () => counts.countFence(),
    dropped: () => shards.doubt(),
  });
  const shards = new Shards({
    leases: new PostgresLeases(leasePool),
    journal,
    writer,
    clock,
    health,
    logger,
    id: uuidv7(),
    url: () => config.LEDGER_ADVERTISED_URL ?? listeningAt(),
    taken: (takings) => counts.countTakings(takings),
  });
  const counts = new LedgerMetrics(
    metrics,
    logger,
    () => writer.openHoldCount(),
    () => writer.owned().length,
    () => writer.openJobCount(),
  );
  const settlements = new Settlements(log, writer, clock, health, logger);
  const corrections = new WaitingCorrections(new ParkedRecords(operatorPool), writer, clock, logger);
  const expiry = new Expiry(writer, beats, clock, logger, config.VENDO_SPOOL_SILENCE_MS);
  const pools = [writerPool, leasePool, operatorPool];
  const ledger = new Ledger({
    ownerPool,
    pools,
    log,
    writer,
    shards,
    settlements,
    corrections,
    expiry,
    relay,
  });
  return { writer, shards, beats, spoolRows, operatorPool, ledger };
}

/** Other machines reach a ledger that listens on every address by its host name. */
function originOf({ httpAdapter }: HttpAdapterHost, { LEDGER_HOST }: LedgerConfig): string | null {
  const address = (httpAdapter.getHttpServer() as Server).address();
  if (address === null || typeof address === 'string') return null;
  const everywhere = LEDGER_HOST === '0.0.0.0' || LEDGER_HOST === '::';
  return new URL(`http://${everywhere ? hostname() : bracketed(LEDGER_HOST)}:${address.port}`).origin;
}

function bracketed(host: string): string {
  return host.includes(':') ? `[${host}]` : host;
}
