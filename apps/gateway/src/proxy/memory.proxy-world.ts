import { once } from 'node:events';
import http from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { VendoError, VendoErrorFilter } from '@vendo/errors';
import { decodeEvent, encodeEvent, type VendoEvent } from '@vendo/events';
import type { LedgerClient, ReserveCommand, ReserveDecision } from '@vendo/ledger-api';
import { Rational } from '@vendo/money';
import { type Margin, type Rate, RateBook } from '@vendo/pricing';
import { Metrics, RuntimeModule } from '@vendo/runtime';
import type { Caller, Callers, Connection, Freshness } from '../callers/callers.js';
import type { CredentialVault } from '../credentials/credential-vault.js';
import { Edge } from '../edge/edge.js';
import { MemoryObjectTable } from '../objects/memory.object-table.js';
import { StoredObjects } from '../objects/stored-objects.js';
import type { Spool } from '../spool/spool.js';
import type { DrainLimits } from './drains.js';
import { JobEnds } from './job-ends.js';
import { PROXY_LIMITS } from './limits.js';
import { SkippingClock } from './memory.skipping-clock.js';
import { type ProxyParts, ProxyService } from './proxy.service.js';
import { ProxyMetrics } from './proxy-metrics.js';
import { UndiciUpstreams } from './undici.upstreams.js';

export const KEY = 'vendo_sk_0123456789abcdefghijABCDEFGHIJ__';
export const REAL_SECRET = 'sk-real-secret';
const TENANT = '0192a000-0000-7000-8000-000000000001';
const CALLER: Caller = {
  keyId: '0192a000-0000-7000-8000-0000000000b1',
  tenantId: TENANT,
  appId: '0192a000-0000-7000-8000-0000000000a1',
  connectionId: null,
  capSubject: '0192a000-0000-7000-8000-0000000000a1',
};
const CONNECTION: Connection = {
  id: '0192a000-0000-7000-8000-0000000000c1',
  tenantId: TENANT,
  provider: 'openai',
  profile: 'byok_static',
  sealedCredential: Buffer.from('sealed'),
};
const CONNECT_TIMEOUT_MS = 1_000;
const RESERVED_AT = '2026-11-21T08:00:00.123Z';

/** USD per million: gpt-4o-mini, a Claude, and every tool of Composio. */
const RATES: readonly Rate[] = [
  rate('openai', 'gpt-4o-mini', 'input_tokens', '0.15'),
  rate('openai', 'gpt-4o-mini', 'cache_read_tokens', '0.075'),
  rate('openai', 'gpt-4o-mini', 'output_tokens', '0.6'),
  rate('anthropic', 'claude-sonnet-4-5', 'input_tokens', '3'),
  rate('anthropic', 'claude-sonnet-4-5', 'output_tokens', '15'),
  rate('composio', '*', 'composio.action_call', '300'),
];
const MARGINS: readonly Margin[] = [
  {
    tenantId: null,
    integration: null,
    meter: null,
    marginPct: Rational.of(20n),
    effectiveFrom: 0,
    version: 1,
  },
];

/** @param usd for a million. */
export function rate(provider: string, model: string, meter: Rate['meter'], usd: string): Rate {
  return {
    provider,
    model,
    meter,
    tier: 'standard',
    contextFrom: 0,
    unitCostUsd: Rational.parse(usd),
    per: Rational.of(1_000_000n),
    free: false,
    effectiveFrom: 0,
    version: 1,
  };
}

type Answer = (request: http.IncomingMessage, response: http.ServerResponse) => void;

/** The real edge, walk, relay and undici between a real client and a real local provider; memory stands for the other rooms. */
export class ProxyWorld {
  /** What the spool took, in order; everything went through its schema. */
  readonly spooled: VendoEvent[] = [];
  readonly reserved: ReserveCommand[] = [];
  readonly seen: { method: string; url: string; headers: http.IncomingHttpHeaders; body: string }[] = [];
  readonly rateMisses: { model: string; meter: string | null }[] = [];
  readonly clock = new SkippingClock();
  answer: Answer = (_request, response) => response.end('{}');
  /** Takes a request when its head has come, in the place of `answer`; null: its body is read first. */
  arrives: Answer | null = null;
  reserve: (command: ReserveCommand) => Promise<ReserveDecision> = async ({ hold_id, rate_version }) => ({
    status: 'open',
    hold_id,
    reserved_at: RESERVED_AT,
    rate_version,
  });
  /** Who calls and with which connection, instead of the one caller and its connections; null: those. */
  registry: Pick<Callers, 'identify' | 'connect'> | null = null;
  /** Awaited before a key is known. */
  beforeIdentify: () => Promise<void> = async () => undefined;
  /** Awaited before a connection is found. */
  beforeConnect: () => Promise<void> = async () => undefined;
  /** Every log line that the proxy wrote. */
  readonly logged: unknown[] = [];
  /** Whether the n-th frame (from 1) is written; a frame that is not stays in memory and refuses new calls. */
  writes: (frame: number) => boolean = () => true;
  rates: RateBook = new RateBook(RATES, MARGINS, 1);
  connection: Connection = CONNECTION;
  /** What the registry keeps of objects in the providers' accounts. */
  readonly objects = new MemoryObjectTable();
  /** What a connection to a shared account stores of the tenant's part of it. */
  accountPart: string | null = null;
  upstreamOrigin = '';
  /** Where calls seem to go; null: where they do. */
  namedOrigin: string | null = null;
  /** These are read at the start. */
  upstreamTimeoutMs = 400;
  stalledMs: number = PROXY_LIMITS.bounds.stalledMs;
  drainBytes: number = PROXY_LIMITS.bounds.drainBytes;
  /** Shorter than it is: a stop waits on the real clock. */
  stopGraceMs = 50;
  maxBodiesBytes = 10_000_000;
  maxUploadBytes = 200_000;
  /** How long a request may take to arrive. */
  arrival: { requestWithinMs?: number; headersWithinMs?: number } = {};
  drains: DrainLimits = PROXY_LIMITS.drains;
  gatewayPort = 0;
  private metrics = new Metrics('gateway-spec');
  private open = 0;
  private bodies = 0;
  private drained = 0;
  private connected = 0;
  private stills = 0;
  private frames = 0;
  /** What the last chunk of an answer waits for; null: nothing. */
  synced: Promise<void> | null = null;
  private refusal: string | null = null;
  private readonly watchers = new Set<() => void>();
  private readonly sockets = new Set<Socket>();
  private proxy: ProxyService | null = null;
  /** What the proxy is made of, for the rooms beside it. */
  parts!: ProxyParts;
  private app: NestFastifyApplication | null = null;
  private readonly upstream = http.createServer((request, response) => this.receive(request, response));

  async start(): Promise<this> {
    this.upstream.on('connection', (socket) => this.sockets.add(socket));
    this.upstream.listen(0, '127.0.0.1');
    await once(this.upstream, 'listening');
    this.upstreamOrigin = `http://127.0.0.1:${(this.upstream.address() as AddressInfo).port}`;
    const edge = new Edge({ domain: 'localhost', bodyLimit: 1_048_576, ...this.arrival });
    this.proxy = this.openProxy();
    edge.serve(this.proxy.serve);
    const module = { module: WorldModule, imports: [RuntimeModule.forApp('gateway', 'silent')] };
    this.app = await NestFactory.create<NestFastifyApplication>(module, edge.adapter, { logger: false });
    this.app.getHttpServer().on('connection', (socket: Socket) => this.watch(socket));
    this.app.useGlobalFilters(new VendoErrorFilter(() => undefined));
    await this.app.listen(0, '127.0.0.1');
    this.gatewayPort = (this.app.getHttpServer().address() as AddressInfo).port;
    return this;
  }

  /** Stops the proxy as a shutdown does: open calls are settled from their taps. */
  async stopProxy(): Promise<void> {
    await this.proxy?.stop();
  }

  /** Begins anew, with what tests have set. */
  async restart(): Promise<void> {
    await this.close();
    await this.start();
  }

  async close(): Promise<void> {
    await this.stopProxy();
    await this.app?.close();
    for (const socket of this.sockets) socket.destroy();
    this.upstream.closeAllConnections();
    this.upstream.close();
  }

  /** Resolves when `ready` says so; it is asked after every event of this world. Throws after 5 s. */
  async until(ready: () => boolean, what = 'the awaited event'): Promise<void> {
    if (ready()) return;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const timer = setTimeout(() => reject(new Error(`${what} did not come`)), 5_000);
    const watcher = (): void => {
      if (ready()) resolve();
    };
    this.watchers.add(watcher);
    await promise.finally(() => {
      clearTimeout(timer);
      this.watchers.delete(watcher);
    });
  }

  ends(): Extract<VendoEvent, { type: 'HoldSettled.v1' }>[] {
    return this.spooled.filter((event) => event.type === 'HoldSettled.v1');
  }

  usages(): Extract<VendoEvent, { type: 'UsageMeasured.v2' }>[] {
    return this.spooled.filter((event) => event.type === 'UsageMeasured.v2');
  }

  /** Calls that are under way, as the metric has them. */
  openCalls(): number {
    return this.open;
  }

  /** Answers that are read on without a client, as the metric has them. */
  draining(): number {
    return this.drained;
  }

  /** Clients that are connected to the gateway. */
  connections(): number {
    return this.connected;
  }

  /** How often the gateway has seen that nothing moved on a client's connection for `stalledMs`. */
  stillnesses(): number {
    return this.stills;
  }

  /** Bytes of request bodies in memory, as the metric has them. */
  bodyBytes(): number {
    return this.bodies;
  }

  /** All metrics of the proxy, as they are scraped. */
  metricsText(): Promise<string> {
    return this.metrics.text();
  }

  /** Prices so high that a huge count costs more than a JSON integer holds. */
  dearRates(): RateBook {
    const dear = RATES.map((one) => ({ ...one, unitCostUsd: Rational.of(1_000_000n) }));
    return new RateBook(dear, MARGINS, 1);
  }

  private openProxy(): ProxyService {
    this.metrics = new Metrics('gateway-spec');
    const metrics = new ProxyMetrics(this.metrics);
    metrics.open.set = (open: unknown) => {
      this.open = Number(open);
      this.changed();
    };
    metrics.draining.set = (draining: unknown) => {
      this.drained = Number(draining);
      this.changed();
    };
    metrics.bodyBytes.set = (bytes: unknown) => {
      this.bodies = Number(bytes);
      this.changed();
    };
    const log = (fields: unknown): void => {
      this.logged.push(fields);
      this.changed();
    };
    const callers = this.callers();
    const spool = this.spool();
    const logger = { debug: log, info: log, warn: log, error: log, fatal: log };
    const objects = new StoredObjects(this.objects, logger, this.metrics);
    this.parts = {
      callers,
      vault: this.vault(),
      objects,
      jobEnds: new JobEnds({ callers, objects, spool, clock: this.clock, logger, metrics }),
      ledger: this.ledger(),
      spool,
      upstreams: new UndiciUpstreams(this.upstreamTimeoutMs, CONNECT_TIMEOUT_MS),
      clock: this.clock,
      logger,
      metrics,
    };
    return new ProxyService(
      {
        maxBodyBytes: 100_000,
        maxUploadBytes: this.maxUploadBytes,
        maxBodiesBytes: this.maxBodiesBytes,
        bounds: { ...PROXY_LIMITS.bounds, stalledMs: this.stalledMs, drainBytes: this.drainBytes },
        drains: this.drains,
        stopGraceMs: this.stopGraceMs,
      },
      this.parts,
    );
  }

  private watch(socket: Socket): void {
    this.connected += 1;
    socket.on('timeout', () => {
      this.stills += 1;
      this.changed();
    });
    socket.on('close', () => {
      this.connected -= 1;
      this.changed();
    });
  }

  private receive(request: http.IncomingMessage, response: http.ServerResponse): void {
    if (this.arrives) {
      this.arrives(request, response);
      return;
    }
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const body = Buffer.concat(chunks).toString('utf8');
      const { method = '', url = '', headers } = request;
      this.seen.push({ method, url, headers, body });
      this.answer(request, response);
      this.changed();
    });
  }

  private changed(): void {
    for (const watcher of this.watchers) watcher();
  }

  private callers(): Callers {
    return {
      identify: async (key: string, freshness: Freshness) => {
        await this.beforeIdentify();
        if (this.registry) return this.registry.identify(key, freshness);
        if (key !== KEY) throw new VendoError('app_unknown');
        return CALLER;
      },
      connect: async (...asked: Parameters<Callers['connect']>) => {
        await this.beforeConnect();
        if (this.registry) return this.registry.connect(...asked);
        const [, provider, , , suits] = asked;
        const connection = { ...this.connection, provider };
        if (suits?.(connection) === false) throw new VendoError('binding_missing');
        return connection;
      },
      connection: async () => {
        await this.beforeConnect();
        return this.connection;
      },
      rates: () => this.rates,
      reportRateMiss: (miss: { model: string; meter: string | null }) => void this.rateMisses.push(miss),
    } as unknown as Callers;
  }

  private vault(): CredentialVault {
    return {
      open: () => ({ origin: this.upstreamOrigin, secret: REAL_SECRET }),
      origin: () => this.namedOrigin ?? this.upstreamOrigin,
      account: ({ tenantId, profile }: Connection) => ({
        tenantId,
        isShared: profile !== 'byok_static',
        part: this.accountPart,
      }),
    } as unknown as CredentialVault;
  }

  private ledger(): LedgerClient {
    return {
      reserve: async (_spool: unknown, command: ReserveCommand) => {
        this.reserved.push(command);
        this.changed();
        return this.reserve(command);
      },
    } as unknown as LedgerClient;
  }

  private spool(): Spool {
    return {
      ref: { id: '0192a000-0000-7000-8000-0000000000e1', host: 'spec' },
      refusal: () => this.refusal,
      synced: () => this.synced,
      append: (events: readonly VendoEvent[]) => {
        for (const event of events) this.spooled.push(decodeEvent(encodeEvent(event, '/gateway')));
        this.frames += 1;
        const written = this.writes(this.frames);
        if (!written) this.refusal = 'a write has failed';
        this.changed();
        return written;
      },
    };
  }
}

@Module({})
class WorldModule {}
