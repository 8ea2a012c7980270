import { Body, Controller, Inject, Post, Put, UseGuards } from '@nestjs/common';
import { Documented, DocumentedApi } from '../openapi/documented.js';
import { AdminGuard } from './admin.guard.js';
import { MarginAnswer, RatesAnswer } from './answers.js';
import { OPERATOR_API } from './operator-api.js';
import { PricesService } from './prices.service.js';
import { NewMargin, NewRates, read } from './requests.js';

@Controller('api/admin')
@UseGuards(AdminGuard)
@DocumentedApi(OPERATOR_API)
export class PricesController {
  constructor(@Inject(PricesService) private readonly prices: PricesService) {}

  @Documented({
    summary: 'Adds a margin, in force from now or later.',
    description: 'The most specific rule that is in force decides; a margin never changes the past.',
    body: NewMargin,
    answer: { status: 200, body: MarginAnswer },
    refuses: ['invalid_request', 'not_found'],
  })
  @Put('margins')
  async margin(@Body() body: unknown) {
    return { margin: await this.prices.addMargin(read(NewMargin, body)) };
  }

  @Documented({
    summary: 'Adds rates, all or none, in force from now or later.',
    body: NewRates,
    answer: { status: 201, body: RatesAnswer },
    refuses: ['invalid_request'],
  })
  @Post('rates')
  async rates(@Body() body: unknown) {
    return { imported: await this.prices.addRates(read(NewRates, body).rates) };
  }
}
