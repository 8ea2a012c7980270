import { Body, Controller, HttpCode, Inject, Post, UseGuards } from '@nestjs/common';
import { VendoError } from '@vendo/errors';
import { Job, LeaseJobs } from '@vendo/ledger-api';
import { LOGGER, type Logger } from '@vendo/runtime';
import type pg from 'pg';
import { InternalGuard } from '../internal.guard.js';
import { OPERATOR_POOL } from '../operator/operator-pool.js';
import { parseRequest } from '../parse-request.js';

/** Every lease forgets so many of those that ended long ago. */
const FORGOTTEN_AT_ONCE = 1_000;

/**
 * Jobs whose end nobody has reported yet, for gateways that ask for it at the provider. The rows are written with the
 * batch that read of the job (writer/); who leases one has it until it is due again. Any ledger may be asked.
 */
@Controller('internal/jobs')
@UseGuards(InternalGuard)
export class JobsController {
  constructor(
    @Inject(OPERATOR_POOL) private readonly pool: pg.Pool,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {}

  @Post('lease')
  @HttpCode(200)
  async lease(@Body() body: unknown): Promise<{ jobs: Job[] }> {
    const { limit } = parseRequest(LeaseJobs, body);
    try {
      await this.abandon();
      const { rows } = await this.pool.query('select ledger.lease_jobs($1) as job', [limit]);
      await this.forget();
      return { jobs: rows.flatMap(({ job }) => this.read(job)) };
    } catch (thrown) {
      throw new VendoError('billing_unavailable', undefined, {}, { cause: thrown });
    }
  }

  /** What cannot be forgotten now is at another lease. */
  private async forget(): Promise<void> {
    await this.pool
      .query('select ledger.forget_jobs($1)', [FORGOTTEN_AT_ONCE])
      .catch((thrown: unknown) => this.logger.warn({ err: thrown }, 'old jobs could not be forgotten'));
  }

  private async abandon(): Promise<void> {
    const { rows } = await this.pool.query<{ hold_id: string; tenant_id: string }>(
      'select hold_id, tenant_id from ledger.abandon_jobs()',
    );
    for (const { hold_id: hold, tenant_id: tenant } of rows)
      this.logger.error(
        { hold, tenant },
        'the end of a job was not reported in 7 days: nobody asks any more',
      );
  }

  /** One that cannot be read keeps none of the others from being asked for. */
  private read(job: unknown): Job[] {
    const { data, error } = Job.safeParse(job);
    if (data) return [data];
    this.logger.error({ err: error }, 'a job cannot be read, so nobody asks for its end');
    return [];
  }
}
