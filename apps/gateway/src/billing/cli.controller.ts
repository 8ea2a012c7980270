import { Controller, Get, Inject, Req, UseFilters } from '@nestjs/common';
import { Documented, DocumentedApi } from '../openapi/documented.js';
import { CliBalanceView, usdBalance } from './balance-view.js';
import { Balances } from './balances.js';
import { CLI_API } from './billing-api.js';
import { CliErrorFilter } from './billing-error.filter.js';
import { Readers } from './readers.js';
import { type LimitedRequest, RequestLimits } from './request-limits.js';

/** What the command line asks: by a key, not from a browser. */
@Controller('api/cli')
@DocumentedApi(CLI_API)
@UseFilters(CliErrorFilter)
export class CliController {
  constructor(
    @Inject(Readers) private readonly readers: Readers,
    @Inject(RequestLimits) private readonly limits: RequestLimits,
    @Inject(Balances) private readonly balances: Balances,
  ) {}

  @Documented({
    summary: 'The balance in USD, to the cent; below zero where it is.',
    description: 'Limited per client address.',
    answer: { status: 200, body: CliBalanceView },
    refuses: ['rate_limit_requests'],
  })
  @Get('balance')
  async balance(@Req() request: LimitedRequest) {
    await this.limits.countCli(request);
    const { tenantId } = await this.readers.byKey(request.headers.authorization);
    return { balance_usd: usdBalance(await this.balances.of(tenantId)) };
  }
}
