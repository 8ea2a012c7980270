import { Body, Controller, Get, Headers, Inject, Param, Post, UseGuards } from '@nestjs/common';
import { LedgerClient } from '@vendo/ledger-api';
import { microsToWire } from '@vendo/money';
import { AdminGuard } from './admin.guard.js';
import { IdempotencyKey, NewCredit, NewTenant, read, readId } from './requests.js';
import { TenantsService } from './tenants.service.js';

@Controller('api/admin/tenants')
@UseGuards(AdminGuard)
export class TenantsController {
  constructor(
    @Inject(TenantsService) private readonly tenants: TenantsService,
    @Inject(LedgerClient) private readonly ledger: LedgerClient,
  ) {}

  @Post()
  async create(@Body() body: unknown) {
    const { name, is_test } = read(NewTenant, body);
    return { tenant: await this.tenants.create(name, is_test) };
  }

  @Post(':id/credits')
  async credit(@Param('id') id: string, @Headers('idempotency-key') key: unknown, @Body() body: unknown) {
    const tenantId = readId(id);
    const idempotency_key = read(IdempotencyKey, key);
    const { amount_micros, source, note } = read(NewCredit, body);
    const amount = microsToWire(amount_micros);
    const credit = { tenant_id: tenantId, amount_micros: amount, source, note, idempotency_key };
    return { entry: await this.tenants.credit(credit) };
  }

  @Get(':id/holds')
  async holds(@Param('id') id: string) {
    const tenantId = readId(id);
    await this.tenants.mustExist(tenantId);
    return { holds: await this.ledger.openHolds(tenantId) };
  }
}
