import { Body, Controller, HttpCode, Inject, Post, UseGuards } from '@nestjs/common';
import { VendoError } from '@vendo/errors';
import { type AdoptAnswer, AdoptSpool } from '@vendo/ledger-api';
import { InternalGuard } from '../internal.guard.js';
import { parseRequest } from '../parse-request.js';
import { SpoolRows } from './spool-rows.js';

/** Adoption of spools whose writer is gone. Any ledger may be asked: the rows are everybody's. */
@Controller('internal/spools')
@UseGuards(InternalGuard)
export class SpoolsController {
  constructor(@Inject(SpoolRows) private readonly rows: SpoolRows) {}

  @Post('adopt')
  @HttpCode(200)
  async adopt(@Body() body: unknown): Promise<AdoptAnswer> {
    const adoption = parseRequest(AdoptSpool, body);
    const owner = await this.rows.adopt(adoption).catch((thrown: unknown) => {
      throw new VendoError('billing_unavailable', undefined, {}, { cause: thrown });
    });
    return { adopted: owner === adoption.adopter.id, owner };
  }
}
