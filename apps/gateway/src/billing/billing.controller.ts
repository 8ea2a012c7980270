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
import { ReadModels, type UsagePeriod, type UsageScope, type WalletBalance } from '@vendo/read-models';
import { Clock } from '@vendo/runtime';
import { type Caller, Callers } from '../callers/callers.js';
import { balanceDetail, creditsRemaining, usdBalance } from './balance-view.js';
import { BILLING_CONFIG, type BillingConfig } from './billing-config.js';
import { BillingErrorFilter } from './billing-error.filter.js';
import { BillingCors } from './cors.js';
import { usageView } from './usage-view.js';

interface Request {
  headers: { authorization?: string };
}

const MIN_SEQ_WAIT_MS = 1_000;
const MIN_SEQ_POLL_MS = 25;

/** What tools ask about their own money; it reads the read models and nothing else. */
@Controller('api')
@UseInterceptors(BillingCors)
@UseFilters(BillingErrorFilter)
export class BillingController {
  constructor(
    @Inject(Callers) private readonly callers: Callers,
    @Inject(ReadModels) private readonly readModels: ReadModels,
    @Inject(Clock) private readonly clock: Clock,
    @Inject(BILLING_CONFIG) private readonly config: BillingConfig,
  ) {}

  /** `?detail=1` tells settled and held apart; `?min_seq=` waits up to a second for that journal row of the tenant. */
  @Get('billing/balance')
  async balance(
    @Req() request: Request,
    @Query('detail') detail: unknown,
    @Query('min_seq') minSeq: unknown,
  ) {
    const { tenantId } = await this.caller(request);
    const wallet = await this.walletAt(tenantId, seqOf(minSeq));
    return {
      credits_remaining_micros: creditsRemaining(wallet),
      currency: 'USD',
      top_up_url: `${this.config.publicUrl}/billing`,
      as_of_seq: wallet.seq,
      ...(detail === '1' ? balanceDetail(wallet) : {}),
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

  /** The wallet once it has come to `seq`; what there is after a second. */
  private async walletAt(tenantId: string, seq: number): Promise<WalletBalance> {
    const endMs = this.clock.monotonicMs() + MIN_SEQ_WAIT_MS;
    let wallet = await this.readModels.balanceOf(tenantId);
    while (wallet.seq < seq && this.clock.monotonicMs() < endMs) {
      await this.clock.sleep(MIN_SEQ_POLL_MS);
      wallet = await this.readModels.balanceOf(tenantId);
    }
    return wallet;
  }

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

function seqOf(asked: unknown): number {
  if (asked === undefined) return 0;
  if (typeof asked === 'string' && /^\d{1,15}$/.test(asked)) return Number(asked);
  throw new VendoError('invalid_request', 'min_seq must be a whole number');
}

function periodOf(asked: unknown): UsagePeriod {
  if (asked === undefined) return 'month';
  if (asked === 'day' || asked === 'month') return asked;
  throw new VendoError('invalid_request', 'period must be day or month');
}
