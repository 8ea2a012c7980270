import { Body, Controller, HttpCode, Inject, Post, UseGuards } from '@nestjs/common';
import { VendoError } from '@vendo/errors';
import { LeasedJobs, LeaseJobs } from '@vendo/ledger-api';
import type pg from 'pg';
import type { z } from 'zod';
import { InternalGuard } from '../internal.guard.js';
import { OPERATOR_POOL } from '../operator/operator-pool.js';
import { parseRequest } from '../parse-request.js';

/**
 * Jobs whose end nobody has reported yet, for gateways that ask for it at the provider. The rows are written with the
 * batch that read of the job (writer/); who leases one has it until it is due again. Any ledger may be asked.
 */
@Controller('internal/jobs')
@UseGuards(InternalGuard)
export class JobsController {
  constructor(@Inject(OPERATOR_POOL) private readonly pool: pg.Pool) {}

  @Post('lease')
  @HttpCode(200)
  async lease(@Body() body: unknown): Promise<z.infer<typeof LeasedJobs>> {
    const { limit } = parseRequest(LeaseJobs, body);
    const { rows } = await this.pool
      .query('select ledger.lease_jobs($1) as job', [limit])
      .catch((thrown: unknown) => {
        throw new VendoError('billing_unavailable', undefined, {}, { cause: thrown });
      });
    return LeasedJobs.parse({ jobs: rows.map(({ job }) => job) });
  }
}
