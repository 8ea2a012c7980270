import { describe, expect, it } from '@jest/globals';
import { type ArgumentsHost, HttpException } from '@nestjs/common';
import { VendoError } from './errors.js';
import { VendoErrorFilter } from './vendo-error.filter.js';

/** What the filter sends for a thrown thing, and what it reports to the log. */
function caught(thrown: unknown): { status?: number; code?: string; reported: unknown[] } {
  const reported: unknown[] = [];
  const sent: { status?: number; code?: string } = {};
  const reply = {
    code(status: number) {
      sent.status = status;
      return reply;
    },
    headers: () => reply,
    send(body: { error: { code: string } }) {
      sent.code = body.error.code;
    },
  };
  const host = { switchToHttp: () => ({ getResponse: () => reply }) } as unknown as ArgumentsHost;
  new VendoErrorFilter((error) => reported.push(error)).catch(thrown, host);
  return { ...sent, reported };
}

describe('VendoErrorFilter', () => {
  it.each([
    ['a VendoError', new VendoError('hold_ended'), 409, 'hold_ended'],
    ['a route that Nest does not know', new HttpException('Cannot GET /x', 404), 404, 'not_found'],
    ['malformed JSON', { statusCode: 400 }, 400, 'invalid_body'],
    ['another media type', { statusCode: 415 }, 400, 'invalid_body'],
    ['a body over the limit', { statusCode: 413 }, 413, 'body_too_large'],
  ])('answers %s with a code of ours and reports nothing', (_, thrown, status, code) =>
    expect(caught(thrown)).toEqual({ status, code, reported: [] }),
  );

  it.each([
    ['no connection in time', new Error('timeout exceeded when trying to connect')],
    ['a connection that broke', new Error('Connection terminated unexpectedly')],
    ['a server that is not there', Object.assign(new Error('connect'), { code: 'ECONNREFUSED' })],
    ['a server that stops', Object.assign(new Error('terminating connection'), { code: '57P01' })],
    ['a server that is full', Object.assign(new Error('too many clients'), { code: '53300' })],
  ])('reports %s of Postgres and answers 503, so that callers try again', (_, thrown) =>
    expect(caught(thrown)).toEqual({ status: 503, code: 'billing_unavailable', reported: [thrown] }),
  );

  it('takes no other error of Postgres for one that passes', () => {
    const thrown = Object.assign(new Error('duplicate key'), { code: '23505' });
    expect(caught(thrown)).toEqual({ status: 500, code: 'internal_error', reported: [thrown] });
  });

  it('reports a bug that somebody has named as such', () => {
    const thrown = new VendoError('internal_error');
    expect(caught(thrown)).toEqual({ status: 500, code: 'internal_error', reported: [thrown] });
  });

  it('reports no refusal that was meant', () =>
    expect(caught(new VendoError('billing_unavailable'))).toEqual({
      status: 503,
      code: 'billing_unavailable',
      reported: [],
    }));

  it('reports what it does not know and answers 500', () => {
    const bug = new Error('bug');
    expect(caught(bug)).toEqual({ status: 500, code: 'internal_error', reported: [bug] });
  });
});
