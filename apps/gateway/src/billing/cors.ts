import {
  type CallHandler,
  type ExecutionContext,
  Inject,
  Injectable,
  type NestInterceptor,
} from '@nestjs/common';
import type { Observable } from 'rxjs';
import { BILLING_CONFIG, type BillingConfig } from './billing-config.js';

interface Request {
  headers: { origin?: string };
}

interface Reply {
  headers(values: Record<string, string>): unknown;
}

/** Puts the CORS headers on every answer of the billing API, errors and preflights included: they are set before the handler runs. */
@Injectable()
export class BillingCors implements NestInterceptor {
  constructor(@Inject(BILLING_CONFIG) private readonly config: BillingConfig) {}

  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    const http = context.switchToHttp();
    const { origin } = http.getRequest<Request>().headers;
    http.getResponse<Reply>().headers(corsHeaders(origin, ['vendo.run', this.config.domain]));
    return next.handle();
  }
}

/** Origins on a subdomain of one of the domains are reflected; everybody else may read too, as `*`. */
export function corsHeaders(origin: string | undefined, domains: readonly string[]): Record<string, string> {
  const reflected = origin !== undefined && domains.some((domain) => isBelow(origin, domain));
  return {
    ...(reflected
      ? { 'access-control-allow-origin': origin, vary: 'Origin' }
      : { 'access-control-allow-origin': '*' }),
    'access-control-allow-methods': 'GET, OPTIONS',
    'access-control-allow-headers': 'Authorization, Content-Type',
  };
}

function isBelow(origin: string, domain: string): boolean {
  const host = /^https?:\/\/([a-z0-9.-]+)(?::\d+)?$/i.exec(origin)?.[1]?.toLowerCase();
  return host?.endsWith(`.${domain.toLowerCase()}`) ?? false;
}
