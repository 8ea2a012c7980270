import {
  Body,
  Controller,
  Get,
  HttpCode,
  Inject,
  Options,
  Put,
  Query,
  Req,
  UseFilters,
  UseInterceptors,
} from '@nestjs/common';
import { ReadModels, type UsageScope } from '@vendo/read-models';
import { Documented, DocumentedApi } from '../openapi/documented.js';
import { read } from '../openapi/read.js';
import { AppsService } from '../operator/apps.service.js';
import { BalanceView, balanceDetail, creditsRemaining, UsdBalanceView, usdBalance } from './balance-view.js';
import { Balances } from './balances.js';
import { BILLING_API } from './billing-api.js';
import { BILLING_CONFIG, type BillingConfig } from './billing-config.js';
import { BillingErrorFilter } from './billing-error.filter.js';
import { BillingCors } from './cors.js';
import { type Reader, Readers } from './readers.js';
import { type LimitedRequest, RequestLimits } from './request-limits.js';
import { BalanceQuery, CapsChange, CapsQuery, UsageQuery } from './requests.js';
import { SpendCapsService, SpendCapsView } from './spend-caps.service.js';
import { UsageView, usageView } from './usage-view.js';

/** What tools and users ask about their own money, and what of it they may set. */
@Controller('api')
@DocumentedApi(BILLING_API)
@UseInterceptors(BillingCors)
@UseFilters(BillingErrorFilter)
export class BillingController {
  constructor(
    @Inject(Readers) private readonly readers: Readers,
    @Inject(RequestLimits) private readonly limits: RequestLimits,
    @Inject(Balances) private readonly balances: Balances,
    @Inject(SpendCapsService) private readonly caps: SpendCapsService,
    @Inject(ReadModels) private readonly readModels: ReadModels,
    @Inject(AppsService) private readonly apps: AppsService,
    @Inject(BILLING_CONFIG) private readonly config: BillingConfig,
  ) {}

  @Documented({
    summary: 'What can still be spent: settled credit minus open holds, never below zero.',
    description:
      '`detail=1` tells settled and held apart; `min_seq` waits up to a second for that row of the tenant’s journal. Limited per client address, together with `/api/v1/balance`.',
    query: BalanceQuery,
    answer: { status: 200, body: BalanceView },
    refuses: ['invalid_request', 'rate_limit_requests'],
  })
  @Get('billing/balance')
  async balance(@Req() request: LimitedRequest, @Query() query: unknown) {
    await this.limits.countBalance(request);
    const { tenantId } = await this.reader(request);
    const { detail, min_seq } = read(BalanceQuery, query);
    const wallet = await this.balances.of(tenantId, min_seq);
    return {
      credits_remaining_micros: creditsRemaining(wallet),
      currency: 'USD',
      top_up_url: `${this.config.publicUrl}/billing`,
      as_of_seq: wallet.seq,
      ...(detail === '1' ? balanceDetail(wallet) : {}),
    };
  }

  @Documented({
    summary: 'The balance in USD, to the cent; below zero where it is.',
    description: 'Limited per client address, together with `/api/billing/balance`.',
    answer: { status: 200, body: UsdBalanceView },
    refuses: ['rate_limit_requests'],
  })
  @Get('v1/balance')
  async balanceV1(@Req() request: LimitedRequest) {
    await this.limits.countBalance(request);
    const { tenantId } = await this.reader(request);
    return { balance_usd: usdBalance(await this.balances.of(tenantId)), tenant_id: tenantId };
  }

  @Documented({
    summary: 'Usage of the current UTC day or month, by provider, model and meter.',
    description:
      'An app key sees its app, a connection key its connection, a token its tenant; `app_id` narrows for a token and is of no effect with a key.',
    query: UsageQuery,
    answer: { status: 200, body: UsageView },
    refuses: ['invalid_request', 'not_found'],
  })
  @Get('billing/usage')
  async usage(@Req() request: LimitedRequest, @Query() query: unknown) {
    const reader = await this.reader(request);
    const { period, app_id } = read(UsageQuery, query);
    const scope = await this.scopeOf(reader, app_id);
    return usageView(period, await this.readModels.usageOf(scope, period));
  }

  @Documented({
    summary: 'Spend caps and what is used of them in the current UTC day and month, open holds included.',
    description:
      'An app key sees its app’s, a connection key its own, a token those of the app `app_id`; null is no cap.',
    query: CapsQuery,
    answer: { status: 200, body: SpendCapsView },
    refuses: ['invalid_request', 'not_found'],
  })
  @Get('billing/spend-caps')
  async spendCaps(@Req() request: LimitedRequest, @Query() query: unknown) {
    const reader = await this.reader(request);
    return this.caps.show(reader, read(CapsQuery, query).app_id);
  }

  @Documented({
    summary: 'Sets spend caps of an app: USD, to the micro; absent stays, null clears.',
    description: 'For a token only. In force when the answer comes.',
    security: ['identityToken'],
    query: CapsQuery,
    body: CapsChange,
    answer: { status: 200, body: SpendCapsView },
    refuses: ['invalid_request', 'token_required', 'not_found'],
  })
  @Put('billing/spend-caps')
  async setSpendCaps(@Req() request: LimitedRequest, @Query() query: unknown, @Body() body: unknown) {
    const reader = await this.reader(request);
    return this.caps.change(reader, read(CapsQuery, query).app_id, read(CapsChange, body));
  }

  @Documented({
    summary: 'Preflight: answered for everybody, before any key is looked at.',
    security: [],
    answer: { status: 204, body: null },
  })
  @Options(['billing/balance', 'v1/balance', 'billing/usage', 'billing/spend-caps'])
  @HttpCode(204)
  preflight(): void {}

  private reader({ headers }: LimitedRequest): Promise<Reader> {
    return this.readers.byKeyOrToken(headers.authorization);
  }

  private async scopeOf(reader: Reader, appId: string | undefined): Promise<UsageScope> {
    const { tenantId } = reader;
    if (reader.kind === 'app') return { tenantId, appId: reader.appId };
    if (reader.kind === 'connection') return { tenantId, connectionId: reader.connectionId };
    if (appId === undefined) return { tenantId };
    await this.apps.mustBelong(tenantId, appId);
    return { tenantId, appId };
  }
}
