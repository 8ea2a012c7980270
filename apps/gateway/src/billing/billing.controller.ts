import {
  Controller,
  Get,
  HttpCode,
  Inject,
  Options,
  Query,
  Req,
  UseFilters,
  UseInterceptors,
} from '@nestjs/common';
import { VendoError } from '@vendo/errors';
import { ReadModels, type UsagePeriod, type UsageScope } from '@vendo/read-models';
import { type Caller, Callers } from '../callers/callers.js';
import { creditsRemaining, usdBalance } from './balance-view.js';
import { BILLING_CONFIG, type BillingConfig } from './billing-config.js';
import { BillingErrorFilter } from './billing-error.filter.js';
import { BillingCors } from './cors.js';
import { usageView } from './usage-view.js';

interface Request {
  headers: { authorization?: string };
}

/** What tools ask about their own money; it reads the read models and nothing else. */
@Controller('api')
@UseInterceptors(BillingCors)
@UseFilters(BillingErrorFilter)
export class BillingController {
  constructor(
    @Inject(Callers) private readonly callers: Callers,
    @Inject(ReadModels) private readonly readModels: ReadModels,
    @Inject(BILLING_CONFIG) private readonly config: BillingConfig,
  ) {}

  @Get('billing/balance')
  async balance(@Req() request: Request) {
    const { tenantId } = await this.caller(request);
    const wallet = await this.readModels.balanceOf(tenantId);
    return {
      credits_remaining_micros: creditsRemaining(wallet),
      currency: 'USD',
      top_up_url: `${this.config.publicUrl}/billing`,
      as_of_seq: wallet.seq,
    };
  }

  @Get('v1/balance')
  async balanceV1(@Req() request: Request) {
    const { tenantId } = await this.caller(request);
    return { balance_usd: usdBalance(await this.readModels.balanceOf(tenantId)), tenant_id: tenantId };
  }

  @Get('billing/usage')
  async usage(@Req() request: Request, @Query('period') asked: unknown) {
    const scope = scopeOf(await this.caller(request));
    const period = periodOf(asked);
    return usageView(period, await this.readModels.usageOf(scope, period));
  }

  /** Preflight: answered for everybody, before any key is looked at. */
  @Options(['billing/balance', 'v1/balance', 'billing/usage'])
  @HttpCode(204)
  preflight(): void {}

  private caller({ headers }: Request): Promise<Caller> {
    const [, key] = /^Bearer +(\S+) *$/i.exec(headers.authorization ?? '') ?? [];
    if (!key) throw new VendoError('unauthorized', 'Missing Bearer token');
    return this.callers.identify(key, 'free');
  }
}

/** An app key sees its app's usage, a connection key its connection's. */
function scopeOf({ tenantId, appId, connectionId }: Caller): UsageScope {
  if (appId !== null) return { tenantId, appId };
  if (connectionId !== null) return { tenantId, connectionId };
  throw new VendoError('app_unknown');
}

function periodOf(asked: unknown): UsagePeriod {
  if (asked === undefined) return 'month';
  if (asked === 'day' || asked === 'month') return asked;
  throw new VendoError('invalid_request', 'period must be day or month');
}
