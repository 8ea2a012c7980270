import { Body, Controller, Inject, Post, Put, UseGuards } from '@nestjs/common';
import { AdminGuard } from './admin.guard.js';
import { PricesService } from './prices.service.js';
import { NewMargin, NewRates, read } from './requests.js';

@Controller('api/admin')
@UseGuards(AdminGuard)
export class PricesController {
  constructor(@Inject(PricesService) private readonly prices: PricesService) {}

  @Put('margins')
  async margin(@Body() body: unknown) {
    return { margin: await this.prices.addMargin(read(NewMargin, body)) };
  }

  @Post('rates')
  async rates(@Body() body: unknown) {
    return { imported: await this.prices.addRates(read(NewRates, body).rates) };
  }
}
