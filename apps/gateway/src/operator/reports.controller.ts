import { Controller, Get, Inject, Query, UseGuards } from '@nestjs/common';
import { VendoError } from '@vendo/errors';
import { LedgerClient } from '@vendo/ledger-api';
import { decodeCursor, type EventsCursor, encodeCursor, ReadModels } from '@vendo/read-models';
import { Documented, DocumentedApi } from '../openapi/documented.js';
import { AdminGuard } from './admin.guard.js';
import { ParkedAnswer, RateMissesAnswer, SpoolsAnswer, UsageEventsAnswer } from './answers.js';
import { OPERATOR_API } from './operator-api.js';
import { PricesService } from './prices.service.js';
import { EventsQuery, read } from './requests.js';

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
    // One more than asked tells whether there is a next page.
    const found = await this.readModels.usageEvents(filter, limit + 1);
    const usage_events = found.slice(0, limit);
    const last = usage_events.at(-1);
    const more = found.length > limit && last !== undefined;
    return {
      usage_events,
      next: more ? encodeCursor({ reservedAt: last.reserved_at, id: last.id }) : null,
    };
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
    refuses: ['billing_unavailable'],
  })
  @Get('spools')
  async spools() {
    return { spools: await this.ledger.spools() };
  }

  /** Records that the ledger or a projection has set aside; `by` names which. */
  @Documented({
    summary: 'Records that the ledger or a projection has set aside.',
    answer: { status: 200, body: ParkedAnswer },
    refuses: ['billing_unavailable'],
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
