import { createHash, timingSafeEqual } from 'node:crypto';
import { type CanActivate, type ExecutionContext, Inject, Injectable } from '@nestjs/common';
import { VendoError } from '@vendo/errors';

/** DI token of VENDO_INTERNAL_TOKEN. */
export const INTERNAL_TOKEN = Symbol('internal token');

/** Lets nobody in without the internal token; compares hashes in constant time, so that timing says nothing about it. */
@Injectable()
export class InternalGuard implements CanActivate {
  private readonly expected: Buffer;

  constructor(@Inject(INTERNAL_TOKEN) token: string) {
    this.expected = sha256(`Bearer ${token}`);
  }

  canActivate(context: ExecutionContext): boolean {
    const { headers } = context.switchToHttp().getRequest<{ headers: { authorization?: string } }>();
    if (timingSafeEqual(sha256(headers.authorization ?? ''), this.expected)) return true;
    throw new VendoError('unauthorized');
  }
}

function sha256(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
