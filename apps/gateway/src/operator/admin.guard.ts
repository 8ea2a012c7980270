import { createHash, timingSafeEqual } from 'node:crypto';
import { type CanActivate, type ExecutionContext, Inject, Injectable } from '@nestjs/common';
import { VendoError } from '@vendo/errors';
import { OPERATOR_CONFIG, type OperatorConfig } from './operator-config.js';

interface Request {
  headers: { authorization?: string };
}

/** Lets in who shows the operator's token; compared in constant time, whatever its length. */
@Injectable()
export class AdminGuard implements CanActivate {
  private readonly expected: Buffer;

  constructor(@Inject(OPERATOR_CONFIG) { adminToken }: OperatorConfig) {
    this.expected = digest(adminToken);
  }

  canActivate(context: ExecutionContext): boolean {
    const { authorization = '' } = context.switchToHttp().getRequest<Request>().headers;
    const [, token = ''] = /^Bearer +(\S+) *$/i.exec(authorization) ?? [];
    if (!timingSafeEqual(digest(token), this.expected)) throw new VendoError('unauthorized');
    return true;
  }
}

function digest(token: string): Buffer {
  return createHash('sha256').update(token).digest();
}
