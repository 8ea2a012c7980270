import { Controller, Get, Inject, Query, UseGuards } from '@nestjs/common';
import { VendoError } from '@vendo/errors';
import { LedgerClient } from '@vendo/ledger-api';
import { decodeCursor, type EventsCursor, encodeCursor, ReadModels } from '@vendo/read-models';
import { Documented, DocumentedApi } from '../openapi/documented.js';
import { AdminGuard } from './admin.guard.js';
import {
  EstimatesAnswer,
  OverdueJobsAnswer,
  ParkedAnswer,
  RateMissesAnswer,
  SpoolsAnswer,
  UsageEventsAnswer,
} from './answers.js';
import { OPERATOR_API } from './operator-api.js';
import { PricesService } from './prices.service.js';
import { EstimatesQuery, EventsQuery, read } from './requests.js';

/** What the operator looks at; it changes nothing. */
@Controller('api/admin')
@UseGuards(AdminGuard)
@DocumentedApi(OPERATOR_API)
export class ReportsController {
  constructor(
    @Inject(ReadModels) private readonly readModels: ReadModels,
    @Inject(LedgerClient) private readonly ledger: LedgerClient,
    @Inject(PricesService) private readonly prices: PricesService,
  ) {}

  @Documented({
    summary: 'Usage events, newest first.',
    description: 'Pages by an opaque cursor: what comes in meanwhile changes no page that follows.',
    query: EventsQuery,
    answer: { status: 200, body: UsageEventsAnswer },
    refuses: ['invalid_request'],
  })
  @Get('usage-events')
  async usageEvents(@Query() query: unknown) {
    const { tenant_id, after, limit } = read(EventsQuery, query);
    const filter = {
      ...(tenant_id === undefined ? {} : { tenantId: tenant_id }),
      ...(after === undefined ? {} : { after: cursorOf(after) }),
    };
    const found = await this.readModels.usageEvents(filter, limit + 1);
    const { page, next } = pageOf(found, limit, ({ reserved_at, id }) => ({ reservedAt: reserved_at, id }));
    return { usage_events: page, next };
  }

  @Documented({
    summary: 'Usage events that were counted or estimated, newest first, with totals of the whole filter.',
    description:
      'What no final report of the provider gave (docs/metering.md says what is charged of it). `from` and `to` are UTC days, both included. Pages as the usage events do.',
    query: EstimatesQuery,
    answer: { status: 200, body: EstimatesAnswer },
    refuses: ['invalid_request'],
  })
  @Get('estimates')
  async estimates(@Query() query: unknown) {
    const { tenant_id, after, limit, ...given } = read(EstimatesQuery, query);
    const filter = { ...given, tenantId: tenant_id };
    const cursor = after === undefined ? undefined : cursorOf(after);
    const [found, totals] = await Promise.all([
      this.readModels.estimates(filter, cursor, limit + 1),
      this.readModels.estimateTotals(filter),
    ]);
    const { page, next } = pageOf(found, limit, ({ at, hold_id }) => ({ reservedAt: at, id: hold_id }));
    return { estimates: page, totals, next };
  }

  @Documented({
    summary: 'Models and meters that had no price, by hour, newest first.',
    answer: { status: 200, body: RateMissesAnswer },
  })
  @Get('rate-misses')
  async rateMisses() {
    return { rate_misses: await this.prices.misses() };
  }

  @Documented({
    summary: 'Spools, with what expired under them without a report.',
    answer: { status: 200, body: SpoolsAnswer },
  })
  @Get('spools')
  async spools() {
    return { spools: await this.ledger.spools() };
  }

  @Documented({
    summary: 'Jobs whose hold has expired and whose report has not come, newest first, at most 1,000.',
    description:
      'The provider may bill them. The gateway asks for a report for 7 days; one that comes, also later by a poll of the client, is charged late. Those that were given up are listed for another 30 days.',
    answer: { status: 200, body: OverdueJobsAnswer },
  })
  @Get('overdue-jobs')
  async overdueJobs() {
    return { overdue_jobs: await this.ledger.overdueJobs() };
  }

  /** Records that the ledger or a projection has set aside; `by` names which. */
  @Documented({
    summary: 'Records that the ledger or a projection has set aside.',
    answer: { status: 200, body: ParkedAnswer },
  })
  @Get('parked')
  async parked() {
    const [ledger, projections] = await Promise.all([this.ledger.parked(), this.readModels.parked()]);
    return {
      parked: [
        ...ledger.map((record) => ({ ...record, by: 'ledger' })),
        ...projections.map(({ id, projection, topic, partition, offset, tenantId, reason, parkedAt }) => ({
          id: `projection-${id}`,
          topic,
          partition,
          offset,
          tenant_id: tenantId,
          hold_id: null,
          reason,
          parked_at: parkedAt.toISOString(),
          by: `projection ${projection}`,
        })),
      ],
    };
  }
}

function cursorOf(text: string): EventsCursor {
  const cursor = decodeCursor(text);
  if (!cursor) throw new VendoError('invalid_request', 'after: is not a cursor of this list');
  return cursor;
}

/** One row more than `limit` was asked for: it tells whether there is a next page. */
function pageOf<Row>(found: readonly Row[], limit: number, placeOf: (row: Row) => EventsCursor) {
  const page = found.slice(0, limit);
  const last = page.at(-1);
  const more = found.length > limit && last !== undefined;
  return { page, next: more ? encodeCursor(placeOf(last)) : null };
}
