import { Controller, Get, Header, Inject, Res } from '@nestjs/common';
import { Health } from './health.js';
import { Metrics } from './metrics.js';

interface Reply {
  code(status: number): Reply;
  type(contentType: string): Reply;
  send(body: unknown): unknown;
}

/** What every app answers for those who run it: `GET /healthz` (200, or 503 with the reasons) and `GET /metrics`. */
@Controller()
export class OperationsController {
  constructor(
    @Inject(Health) private readonly health: Health,
    @Inject(Metrics) private readonly metrics: Metrics,
  ) {}

  @Get('healthz')
  @Header('cache-control', 'no-store')
  healthz(@Res() reply: Reply): void {
    const problems = this.health.report();
    reply.code(problems ? 503 : 200).send(problems ? { status: 'unhealthy', problems } : { status: 'ok' });
  }

  @Get('metrics')
  async scrape(@Res() reply: Reply): Promise<void> {
    reply.type(this.metrics.contentType).send(await this.metrics.text());
  }
}
