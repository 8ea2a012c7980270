import {
  type BeforeApplicationShutdown,
  type DynamicModule,
  Inject,
  Module,
  type OnApplicationShutdown,
  type OnModuleInit,
} from '@nestjs/common';
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
import { CommitNotice } from './journal/commit-notice.js';
import { PostgresJournal } from './journal/postgres.journal.js';
import { Ledger } from './ledger.js';
import { GrantCreditHandler, SetCapsHandler } from './operator/commands.js';
import { OperatorController } from './operator/operator.controller.js';
import { OPERATOR_POOL } from './operator/operator-pool.js';
import { ParkedRecords } from './operator/parked-records.js';
import { OpenHoldsHandler, ParkedHandler, SpoolsHandler } from './operator/queries.js';
import { ReplayHandler } from './operator/replay.js';
import { WriteOffHandler } from './operator/write-off.js';
import { JournalRows } from './relay/journal-rows.js';
import { Relay } from './relay/relay.js';
import { Settlements } from './settlement/settlements.js';
import { LedgerMetrics } from './writer/ledger-metrics.js';
import { WriterController } from './writer/writer.controller.js';
import { Writer } from './writer/writer.js';

/** Everything that the ledger runs, made in one place. */
interface Assembly {
  writer: Writer;
  beats: SpoolBeats;
  spoolRows: SpoolRows;
  operatorPool: ReturnType<typeof createPool>;
  ledger: Ledger;
}

const ASSEMBLY = Symbol('assembly');

/** Sessions of the writer: without the right to change the journal, and never holding rows for long. */
export const WRITER_SESSION = {
  role: 'vendo_ledger',
  lock_timeout: '2s',
  statement_timeout: '2s',
  idle_in_transaction_session_timeout: '2s',
  // The statements of a batch are planned once, not at each batch, and by index, whatever the tables' statistics say
  // on the day they were empty.
  plan_cache_mode: 'force_generic_plan',
  enable_seqscan: 'off',
};

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
      controllers: [WriterController, SpoolsController, OperatorController],
      providers: [
        { provide: INTERNAL_TOKEN, useValue: config.VENDO_INTERNAL_TOKEN },
        {
          provide: ASSEMBLY,
          useFactory: (log: EventLog, clock: Clock, health: Health, logger: Logger, metrics: Metrics) =>
            assemble(config, { log, clock, health, logger, metrics }),
          inject: [EventLog, Clock, Health, LOGGER, Metrics],
        },
        part(Ledger, 'ledger'),
        part(Writer, 'writer'),
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
}

function assemble(config: LedgerConfig, { log, clock, health, logger, metrics }: Surroundings): Assembly {
  const url = config.DATABASE_URL;
  const ownerPool = createPool(url, { app: 'vendo ledger migrations', max: 2 });
  const writerPool = createPool(url, { app: 'vendo ledger writer', max: 2, settings: WRITER_SESSION });
  const operatorPool = createPool(url, {
    app: 'vendo ledger',
    max: 4,
    settings: WRITER_SESSION,
    answerWithinMs: 5_000,
  });
  const spoolRows = new SpoolRows(operatorPool);
  const beats = new SpoolBeats(clock, spoolRows);
  const notice = new CommitNotice(operatorPool, logger);
  const relay = config.KAFKA_BROKERS
    ? new Relay(new JournalRows(operatorPool), log, clock, health, logger)
    : null;
  const writer: Writer = new Writer(
    new PostgresJournal(writerPool),
    clock,
    logger,
    {
      committed: (batch) => {
        counts.committed(batch);
        if (batch.rows.length > 0) notice.send();
        for (const { shard } of batch.rows) relay?.wake(shard);
      },
      dropped: () => health.down('database', 'Postgres does not answer: reserves are refused'),
      resumed: () => {
        health.up('database');
        beats.resumed();
      },
      fenced: (error) => {
        counts.countFence();
        logger.fatal({ err: error }, 'another ledger has taken the shards: this one ends');
        process.exit(1);
      },
    },
    uuidv7(),
  );
  const counts = new LedgerMetrics(metrics, logger, () => writer.openHoldCount());
  const settlements = new Settlements(log, writer, clock, health, logger);
  const expiry = new Expiry(writer, beats, clock, logger);
  const pools = [writerPool, operatorPool];
  const ledger = new Ledger({ ownerPool, pools, log, writer, settlements, expiry, relay });
  return { writer, beats, spoolRows, operatorPool, ledger };
}
