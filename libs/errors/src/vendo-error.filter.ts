import { type ArgumentsHost, Catch, type ExceptionFilter, HttpException } from '@nestjs/common';
import { errorResponse, VendoError } from './errors.js';

interface Reply {
  code(status: number): Reply;
  headers(values: Record<string, string>): Reply;
  send(body: unknown): unknown;
}

/** The one exception filter of every app: codes in, the table's status, headers and body out. */
@Catch()
export class VendoErrorFilter implements ExceptionFilter {
  /** @param report is told of bugs and of a Postgres that is away, with their text, for the log; the caller never sees it. */
  constructor(private readonly report: (thrown: unknown) => void) {}

  catch(thrown: unknown, host: ArgumentsHost): void {
    const known = toVendoError(thrown);
    const { status, headers, body } = errorResponse(known);
    // What was thrown as it is answered was meant, but for a bug that somebody has seen.
    if (known.code === 'internal_error' || (known !== thrown && status >= 500)) this.report(thrown);
    host.switchToHttp().getResponse<Reply>().code(status).headers(headers).send(body);
  }
}

/** Nest's and Fastify's own refusals (no such route, malformed JSON, body too large) in our codes. */
function toVendoError(thrown: unknown): VendoError {
  if (thrown instanceof VendoError) return thrown;
  const status = thrown instanceof HttpException ? thrown.getStatus() : statusOf(thrown);
  switch (status) {
    case 400:
    case 415:
      return new VendoError('invalid_body');
    case 404:
      return new VendoError('not_found');
    case 405:
      return new VendoError('method_not_allowed');
    case 413:
      return new VendoError('body_too_large');
    default:
      return new VendoError(isDatabaseAway(thrown) ? 'billing_unavailable' : 'internal_error');
  }
}

/** SQLSTATE of connection exceptions, of a server that stops or starts, of too many connections; and Node's own. */
const AWAY = /^(?:08...|57P0[123]|53300|ECONNREFUSED|ECONNRESET|EPIPE|ETIMEDOUT|ENOTFOUND|EAI_AGAIN)$/;
/** What `pg` says without a code. */
const AWAY_TEXTS = [
  'timeout exceeded when trying to connect',
  'Connection terminated',
  'Query read timeout',
  'Client has encountered a connection error',
];

/** Whether Postgres could not be asked. Providers and ledgers that are away are told by their clients. */
function isDatabaseAway(thrown: unknown): boolean {
  if (!(thrown instanceof Error)) return false;
  if ('code' in thrown && AWAY.test(String(thrown.code))) return true;
  return AWAY_TEXTS.some((text) => thrown.message.startsWith(text));
}

function statusOf(thrown: unknown): number | undefined {
  if (typeof thrown !== 'object' || thrown === null || !('statusCode' in thrown)) return undefined;
  return typeof thrown.statusCode === 'number' ? thrown.statusCode : undefined;
}
