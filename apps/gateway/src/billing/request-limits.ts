import rateLimit from '@fastify/rate-limit';
import { Inject, Injectable, type OnModuleInit } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { VendoError } from '@vendo/errors';
import { BILLING_CONFIG, type BillingConfig } from './billing-config.js';

const WINDOW_MS = 60_000;
/** Client addresses that are remembered; the one unheard of for longest is forgotten first. */
const ADDRESSES_MAX = 10_000;

type Fastify = ReturnType<ReturnType<NestFastifyApplication['getHttpAdapter']>['getInstance']>;
type Limiter = ReturnType<Fastify['createRateLimit']>;
export type LimitedRequest = Parameters<Limiter>[0];

/**
 * How often one client address may ask for balances: the socket's address, because whoever asks writes the headers.
 * Both limits count before any key is looked at.
 */
@Injectable()
export class RequestLimits implements OnModuleInit {
  private ofBalances: Limiter;
  private ofCli: Limiter;

  constructor(
    @Inject(HttpAdapterHost) private readonly host: HttpAdapterHost,
    @Inject(BILLING_CONFIG) private readonly config: BillingConfig,
  ) {}

  onModuleInit(): void {
    const fastify = this.host.httpAdapter.getInstance<Fastify>();
    const { balance, cli } = this.config.requestsPerMinute;
    // Not awaited: that would seal the routes before Nest gives them its error handler.
    void fastify.register(rateLimit, { global: false, cache: ADDRESSES_MAX });
    fastify.addHook('onReady', async () => {
      this.ofBalances = fastify.createRateLimit({ max: balance, timeWindow: WINDOW_MS });
      this.ofCli = fastify.createRateLimit({ max: cli, timeWindow: WINDOW_MS });
    });
  }

  /** Counts a request for one of the two balances. Throws VendoError rate_limit_requests. */
  countBalance(request: LimitedRequest): Promise<void> {
    return count(this.ofBalances, request);
  }

  /** Counts a request of the command line. Throws VendoError rate_limit_requests. */
  countCli(request: LimitedRequest): Promise<void> {
    return count(this.ofCli, request);
  }
}

async function count(limiter: Limiter, request: LimitedRequest): Promise<void> {
  const { isAllowed, ...counted } = await limiter(request);
  if (isAllowed || !('isExceeded' in counted) || !counted.isExceeded) return;
  throw new VendoError('rate_limit_requests', undefined, { retry_after: counted.ttlInSeconds });
}
