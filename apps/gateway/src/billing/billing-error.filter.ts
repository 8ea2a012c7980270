import { type ArgumentsHost, Catch, type ExceptionFilter, Inject } from '@nestjs/common';
import { errorResponse, VendoError } from '@vendo/errors';
import { LOGGER, type Logger } from '@vendo/runtime';

interface Reply {
  code(status: number): Reply;
  headers(values: Record<string, string>): Reply;
  send(body: unknown): unknown;
}

/** The billing API's own error shape, `{"error":{"message"}}`: no code, no header; a bad key is told one thing, whatever is bad about it. */
@Catch()
export class BillingErrorFilter implements ExceptionFilter {
  constructor(@Inject(LOGGER) private readonly logger: Logger) {}

  catch(thrown: unknown, host: ArgumentsHost): void {
    const known = thrown instanceof VendoError ? thrown : new VendoError('internal_error');
    if (known.code === 'internal_error') this.logger.error({ err: thrown }, 'billing API failed');
    const message = isBadKey(known) ? 'Invalid or revoked token' : known.message;
    const { status, headers } = errorResponse(known);
    const retryAfter = headers['retry-after'];
    host
      .switchToHttp()
      .getResponse<Reply>()
      .code(status)
      .headers(retryAfter === undefined ? {} : { 'retry-after': retryAfter })
      .send({ error: { message } });
  }
}

function isBadKey({ code }: VendoError): boolean {
  return code === 'app_unknown' || code === 'app_revoked' || code === 'app_expired';
}
