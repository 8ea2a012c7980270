import { Body, Controller, Get, Headers, Inject, Param, Post, UseGuards } from '@nestjs/common';
import { LedgerClient } from '@vendo/ledger-api';
import { microsToWire } from '@vendo/money';
import { z } from 'zod';
import { Documented, DocumentedApi } from '../openapi/documented.js';
import { AdminGuard } from './admin.guard.js';
import { CreditAnswer, HoldsAnswer, TenantAnswer } from './answers.js';
import { OPERATOR_API } from './operator-api.js';
import { IdempotencyKey, IdPath, NewCredit, NewTenant, read, readId } from './requests.js';
import { TenantsService } from './tenants.service.js';

@Controller('api/admin/tenants')
@UseGuards(AdminGuard)
@DocumentedApi(OPERATOR_API)
export class TenantsController {
  constructor(
    @Inject(TenantsService) private readonly tenants: TenantsService,
    @Inject(LedgerClient) private readonly ledger: LedgerClient,
  ) {}

  @Documented({
    summary: 'Makes a tenant.',
    body: NewTenant,
    answer: { status: 201, body: TenantAnswer },
    refuses: ['invalid_request'],
  })
  @Post()
  async create(@Body() body: unknown) {
    const { name, is_test } = read(NewTenant, body);
    return { tenant: await this.tenants.create(name, is_test) };
  }

  @Documented({
    summary: 'Posts credit, or a correction where the amount is negative.',
    description:
      'Once per Idempotency-Key: the same key with the same body answers the first entry, with another body 409. Sources and notes are for people.',
    path: IdPath,
    headers: z.object({ 'idempotency-key': IdempotencyKey }),
    body: NewCredit,
    answer: { status: 201, body: CreditAnswer },
    refuses: ['invalid_request', 'not_found', 'idempotency_conflict'],
  })
  @Post(':id/credits')
  async credit(@Param('id') id: string, @Headers('idempotency-key') key: unknown, @Body() body: unknown) {
    const tenantId = readId(id);
    const idempotency_key = read(IdempotencyKey, key);
    const { amount_micros, source, note } = read(NewCredit, body);
    const amount = microsToWire(amount_micros);
    const credit = { tenant_id: tenantId, amount_micros: amount, source, note, idempotency_key };
    return { entry: await this.tenants.credit(credit) };
  }

  @Documented({
    summary: 'The open holds of a tenant.',
    path: IdPath,
    answer: { status: 200, body: HoldsAnswer },
    refuses: ['not_found'],
  })
  @Get(':id/holds')
  async holds(@Param('id') id: string) {
    const tenantId = readId(id);
    await this.tenants.mustExist(tenantId);
    return { holds: await this.ledger.openHolds(tenantId) };
  }
}
