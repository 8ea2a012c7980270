import { type ArgumentsHost, Catch, type ExceptionFilter, Inject, Injectable } from '@nestjs/common';
import { type ErrorCode, errorResponse, VendoError } from '@vendo/errors';
import { LOGGER, type Logger } from '@vendo/runtime';

interface Reply {
  code(status: number): Reply;
  headers(values: Record<string, string>): Reply;
  send(body: unknown): unknown;
}

/** A bad key is told one thing, whatever is bad about it. */
const BAD_KEY: readonly ErrorCode[] = ['app_unknown', 'app_revoked', 'app_expired'];

/** Errors of the billing API: no code, no header, a shape of their own. */
abstract class MessageFilter implements ExceptionFilter {
  protected abstract readonly badKey: string;
  protected abstract body(message: string): object;

  constructor(@Inject(LOGGER) private readonly logger: Logger) {}

  catch(thrown: unknown, host: ArgumentsHost): void {
    const known = thrown instanceof VendoError ? thrown : new VendoError('internal_error');
    if (known.code === 'internal_error') this.logger.error({ err: thrown }, 'billing API failed');
    const { status, headers } = errorResponse(known);
    const retryAfter = headers['retry-after'];
    host
      .switchToHttp()
      .getResponse<Reply>()
      .code(status)
      .headers(retryAfter === undefined ? {} : { 'retry-after': retryAfter })
      .send(this.body(BAD_KEY.includes(known.code) ? this.badKey : known.message));
  }
}

/** `{"error":{"message"}}` */
@Catch()
@Injectable()
export class BillingErrorFilter extends MessageFilter {
  protected readonly badKey = 'Invalid or revoked token';

  protected body(message: string): object {
    return { error: { message } };
  }
}

/** `{"message"}` */
@Catch()
@Injectable()
export class CliErrorFilter extends MessageFilter {
  protected readonly badKey = 'Invalid or revoked API key';

  protected body(message: string): object {
    return { message };
  }
}
