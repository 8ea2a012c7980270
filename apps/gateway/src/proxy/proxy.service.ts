import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Readable } from 'node:stream';
import { errorResponse, VendoError } from '@vendo/errors';
import type { LedgerClient } from '@vendo/ledger-api';
import type { Micros } from '@vendo/money';
import { type PriceContext, type RateBook, TOKENS } from '@vendo/pricing';
import type { Clock, Logger } from '@vendo/runtime';
import type { Caller, Callers, Connection } from '../callers/callers.js';
import type { CredentialVault } from '../credentials/credential-vault.js';
import { hasTraversal, type ProxyTarget, queryOf } from '../edge/target.js';
import type { KeptObject } from '../objects/object-table.js';
import type { StoredObjects } from '../objects/stored-objects.js';
import type {
  CostBound,
  FreeRoute,
  MeteredRequest,
  MeteredRoute,
  NeededBinding,
  Provider,
  Route,
} from '../providers/provider.js';
import { providerBySlug } from '../providers/registry.js';
import { matchRoute, type RouteMatch } from '../providers/route-table.js';
import type { Spool } from '../spool/spool.js';
import { BodyBudget } from './body-budget.js';
import { Call } from './call.js';
import { type DrainLimits, Drains } from './drains.js';
import { ClientLeft, Exchange, type Upload } from './exchange.js';
import { FundsWatch } from './funds-watch.js';
import { requestHeaders } from './headers.js';
import { Hold } from './hold.js';
import { type JobEnds, JobPoll, ReportMeter } from './job-ends.js';
import { NamedObjects, refuseForeignObjects } from './named-objects.js';
import { type OpenCall, OpenCalls } from './open-calls.js';
import { carriesKey, presentedKey, withoutKeyParameters } from './presented-key.js';
import type { ProxyMetrics } from './proxy-metrics.js';
import { Questions } from './questions.js';
import { RefundMeter, RefundPoll } from './refunds.js';
import { type Metering, Relay, type RelayBounds } from './relay.js';
import { SendQueues } from './send-queues.js';
import { tierOf } from './settlement.js';
import { Turns } from './turns.js';
import type { Upstreams } from './upstreams.js';

export interface ProxyConfig {
  /** Largest request body, bytes. */
  maxBodyBytes: number;
  /** Largest file that is forwarded while it comes, bytes. */
  maxUploadBytes: number;
  /** All request bodies that are in memory together, bytes. */
  maxBodiesBytes: number;
  bounds: RelayBounds;
  drains: DrainLimits;
  /** How long a stop waits for open calls, milliseconds. */
  stopGraceMs: number;
}

export interface ProxyParts {
  callers: Callers;
  vault: CredentialVault;
  objects: StoredObjects;
  jobEnds: JobEnds;
  ledger: LedgerClient;
  spool: Spool;
  upstreams: Upstreams;
  clock: Clock;
  logger: Logger;
  metrics: ProxyMetrics;
}

/** Questions of ours have one of so many parts of the memory for bodies. */
const QUESTIONS_PART = 8;

/** What a metered call may cost, and the prices that will decide what it did cost. */
interface Quote {
  amount: Micros;
  rates: RateBook;
}

/** The walk of one call, in the order in which a client may rely on its refusals (docs/metering.md). */
export class ProxyService {
  private readonly open: OpenCalls;
  private readonly drains: Drains;
  private readonly queues = new SendQueues();
  private readonly turns = new Turns();
  private readonly bodies: BodyBudget;
  private readonly funds: FundsWatch;
  private readonly named: NamedObjects;
  private readonly questions: Questions;

  constructor(
    private readonly config: ProxyConfig,
    private readonly parts: ProxyParts,
  ) {
    const { clock, logger, metrics } = parts;
    this.funds = new FundsWatch(logger, metrics, () => clock.monotonicMs());
    this.open = new OpenCalls(
      () => clock.monotonicMs(),
      (open) => metrics.open.set(open),
    );
    this.drains = new Drains(config.drains, (draining) => metrics.draining.set(draining));
    this.named = new NamedObjects(parts.objects);
    this.bodies = new BodyBudget(config.maxBodiesBytes, (bytes) => metrics.bodyBytes.set(bytes));
    const bodies = this.bodies.part(config.maxBodiesBytes / QUESTIONS_PART);
    this.questions = new Questions({ ...parts, open: this.open, bodies });
  }

  /** Answers one request. Never throws, never rejects. */
  readonly serve = (target: ProxyTarget, request: IncomingMessage, response: ServerResponse): void => {
    const { clock, logger, metrics } = this.parts;
    const call = new Call(clock, logger, metrics, this.bodies.open());
    const exchange = new Exchange(request, response);
    const walking: OpenCall = { tick: () => undefined, cut: () => this.cutShort(call, exchange) };
    this.open.add(walking);
    void this.walk(call, target, exchange)
      .catch((thrown: unknown) => this.refuse(call, exchange, thrown))
      .finally(() => this.open.delete(walking));
  };

  /** Refuses new calls, gives open ones their time, then settles what is left from what was measured. */
  async stop(): Promise<void> {
    await this.open.stop(this.config.stopGraceMs);
    await this.questions.settled();
    await this.parts.upstreams.close();
  }

  /** A stop that is under way waits no longer for open calls. */
  hurry(): void {
    this.open.hurry();
  }

  private async walk(call: Call, target: ProxyTarget, exchange: Exchange): Promise<void> {
    if (hasTraversal(target.raw)) throw new VendoError('path_traversal');
    const provider = providerBySlug(target.slug);
    if (!provider) throw new VendoError('adapter_unknown');
    call.provider = provider.slug;
    // Browsers can put a key only where none is looked for, so this is said whoever asks.
    if (asksForWebSocket(exchange))
      throw new VendoError('route_not_supported', 'WebSocket connections are not supported.');
    const key = presentedKey(exchange.request.rawHeaders, target.raw);
    const keyless = withoutKeyParameters(target.raw);
    const forwarded = provider.target?.(keyless) ?? keyless;
    const match = routeOf(provider, exchange, forwarded);
    call.caller = await this.parts.callers.identify(key, match?.route.class ?? 'free');
    if (!match) throw new VendoError('route_not_supported');
    const { route, params } = match;
    call.route = route.name;
    if (this.open.stopping) throw new VendoError('billing_unavailable');
    if (route.class === 'free')
      await this.walkFree(call, call.caller, provider, route, params, forwarded, exchange);
    else await this.walkMetered(call, call.caller, provider, route, params, forwarded, exchange);
  }

  /** No hold, no usage event. */
  private async walkFree(
    call: Call,
    caller: Caller,
    provider: Provider,
    route: FreeRoute,
    params: RouteMatch['params'],
    path: string,
    exchange: Exchange,
  ): Promise<void> {
    const body = route.upload
      ? exchange.upload(this.config.maxUploadBytes)
      : await exchange.readBody(this.config.maxBodyBytes, call.body);
    if (route.method === 'GET' && Buffer.isBuffer(body) && body.length > 0)
      throw new VendoError('invalid_body', 'This route takes no body.');
    const accountObjects = Buffer.isBuffer(body) ? (route.accountObjectsIn?.(body) ?? []) : [];
    const connection = await this.connect(call, caller, provider, exchange, 'free');
    const account = this.parts.vault.account(connection);
    refuseForeignObjects(account, [...(route.accountObjects ?? []), ...accountObjects]);
    const stored = Buffer.isBuffer(body) ? route.storedObjectsIn?.(body) : [];
    await this.named.assertOwn(connection, account, stored);
    const id = route.object === undefined ? undefined : params[route.object];
    const object = id === undefined ? null : await this.named.lookUp(connection, account, id);
    exchange.assertThere();
    const metering = route.reports ? this.listening(provider, object) : null;
    this.forward(call, provider, connection, path, body, exchange, route.method, metering);
  }

  /** Reads the answer to a question after a job that has not been charged yet, or a charge that may be given back. */
  private listening({ jobs, refunds }: Provider, object: KeptObject | null): Metering | null {
    if (!object || object.ended) return null;
    const { job, refund, objectId } = object;
    if (job && jobs) {
      const meter = new ReportMeter(jobs, job);
      return { hold: new JobPoll(this.parts.jobEnds, job, meter), meter, stream: false, mayDrop: false };
    }
    if (!refund || !refunds) return null;
    const meter = new RefundMeter(refunds, objectId);
    return { hold: new RefundPoll(refund, object, meter, this.parts), meter, stream: false, mayDrop: false };
  }

  /** Held, forwarded, measured, priced, settled. */
  private async walkMetered(
    call: Call,
    caller: Caller,
    provider: Provider,
    route: MeteredRoute,
    params: RouteMatch['params'],
    path: string,
    exchange: Exchange,
  ): Promise<void> {
    exchange.answers = route.answers ?? null;
    const body = await exchange.readBody(this.config.maxBodyBytes, call.body);
    const request = await route.read({
      body,
      params,
      query: new URLSearchParams(queryOf(path)),
      contentType: exchange.header('content-type') ?? '',
    });
    // A mistake that happens, and the model stands in log lines, events and rate misses.
    if ([request.model, ...(request.extras ?? [])].some(carriesKey))
      throw new VendoError('invalid_body', 'The model is an API key.');
    call.model = request.model;
    call.stream = request.stream;
    const connection = await this.connect(call, caller, provider, exchange, 'metered', request.binding);
    const account = this.parts.vault.account(connection);
    refuseForeignObjects(account, request.accountObjects);
    await this.named.assertOwn(connection, account, request.storedObjects);
    const forwarded = request.bodyFor?.(account) ?? request.body;
    const host = provider.tierAt
      ? new URL(this.parts.vault.origin(connection, provider.upstream)).hostname
      : null;
    const { amount, rates } = this.quote(caller, provider, host, request);
    if (this.parts.spool.refusal() !== null) throw new VendoError('billing_unavailable');
    exchange.assertThere();
    const hold = new Hold(
      {
        id: call.id,
        caller,
        connection,
        isShared: account.isShared,
        provider,
        host,
        route: route.name,
        request,
        amount,
        rates,
        startedAtMs: call.startedAtMs,
      },
      { ...this.parts, questions: this.questions },
    );
    call.hold = hold;
    hold.take(await this.parts.ledger.reserve(this.parts.spool.ref, hold.command()));
    exchange.assertThere();
    hold.announce();
    this.forward(call, provider, connection, request.path ?? path, forwarded, exchange, route.method, {
      hold,
      meter: request.meter(),
      stream: request.stream,
      mayDrop: request.stream && request.body !== body && !request.dropsNothing,
    });
  }

  private async connect(
    call: Call,
    caller: Caller,
    provider: Provider,
    exchange: Exchange,
    freshness: Route['class'],
    needed?: NeededBinding,
  ): Promise<Connection> {
    const { callers, vault } = this.parts;
    const requested = exchange.header('x-vendo-connection');
    const suits = needed && ((connection: Connection) => needed.suits(vault.account(connection)));
    const connection = await callers
      .connect(caller, provider.slug, requested, freshness, suits)
      .catch((thrown: unknown) => {
        throw needed && isBindingMissing(thrown)
          ? new VendoError(thrown.code, thrown.message, needed.wanted)
          : thrown;
      });
    call.connectionId = connection.id;
    return connection;
  }

  /** min(the provider's ceiling, what the request can cost). Throws VendoError `rate_missing`. */
  private quote(caller: Caller, provider: Provider, host: string | null, request: MeteredRequest): Quote {
    const { model, tier, bound, needs = TOKENS, extras = [], fees = [] } = request;
    const rates = this.parts.callers.rates();
    const context: PriceContext = {
      tenantId: caller.tenantId,
      provider: provider.slug,
      rateKeys: provider.rateKeys(model),
      ...tierOf(provider, host, tier),
      contextTokens: 0,
      at: this.parts.clock.wallMs(),
      version: rates.version,
    };
    const needed = [
      ...[model, ...extras].map((name) => ({ name, meters: needs, ownPrice: false })),
      ...fees.map(({ name, meter }) => ({ name, meters: [meter], ownPrice: true })),
    ];
    for (const { name, meters, ownPrice } of needed) {
      if (rates.isPriced({ ...context, rateKeys: provider.rateKeys(name) }, meters, ownPrice)) continue;
      const miss = { tenantId: caller.tenantId, provider: provider.slug, model: name, meter: null };
      this.parts.callers.reportRateMiss(miss);
      throw new VendoError('rate_missing');
    }
    const ceiling = provider.holdCeiling;
    const atMost = atMostOf(rates, context, bound);
    return { amount: atMost !== null && atMost < ceiling ? atMost : ceiling, rates };
  }

  /** From here on nothing is awaited: the provider's answer drives the relay. */
  private forward(
    call: Call,
    provider: Provider,
    connection: Connection,
    path: string,
    body: Buffer | Upload,
    exchange: Exchange,
    method: Route['method'],
    metering: Metering | null,
  ): void {
    const { clock, upstreams, vault } = this.parts;
    const { origin, secret } = vault.open(connection, provider.upstream);
    const { isShared } = vault.account(connection);
    const headers = requestHeaders(exchange.request.rawHeaders, {
      metered: metering !== null,
      identity: exchange.answers !== null || (metering?.mayDrop ?? false),
    });
    if (!Buffer.isBuffer(body) && body.length !== null) headers['content-length'] = String(body.length);
    const outgoing = { path, headers };
    provider.authorize(outgoing, secret);
    if (isShared && metering) this.funds.listen(provider, metering.meter);
    const relay = new Relay(call, exchange, metering, {
      secret,
      bounds: this.config.bounds,
      nowMs: () => clock.monotonicMs(),
      drains: this.drains,
      queues: this.queues,
      turns: this.turns,
      errorBody: (status, coding) => (isShared ? this.funds.begin(provider, status, coding) : null),
      closed: (closed) => {
        this.open.delete(closed);
        call.finish();
      },
    });
    this.open.add(relay);
    upstreams.dispatch(origin, { method, ...outgoing, body: bytesOf(body) }, relay);
  }

  /** Whatever ends a call before it was forwarded ends its hold; after that the relay does. */
  private refuse(call: Call, exchange: Exchange, thrown: unknown): void {
    call.hold?.release('not_forwarded');
    if (thrown instanceof ClientLeft || exchange.clientLeft) {
      call.clientLeft = true;
      call.finish();
      return;
    }
    const { logger, metrics } = this.parts;
    if (!(thrown instanceof VendoError))
      logger.error({ err: thrown, call: call.id }, 'a call failed inside of us');
    const code = thrown instanceof VendoError ? thrown.code : 'internal_error';
    if (code === 'billing_unavailable') metrics.reserveFailures.inc();
    const response = errorResponse(thrown);
    call.status = response.status;
    call.code = code;
    exchange.refuse(response, this.open.stopping);
    call.finish();
  }

  /** The gateway stops while the call still waits for its hold. */
  private cutShort(call: Call, exchange: Exchange): void {
    call.hold?.release('not_forwarded');
    exchange.response.destroy();
  }
}

/** Null: it cannot be known, or a meter that it needs has no price. */
function atMostOf(rates: RateBook, context: PriceContext, bound: CostBound): Micros | null {
  if (bound.kind === 'tokens') return rates.holdFor(context, bound);
  return bound.kind === 'units' ? rates.holdForUnits(context, bound.units) : null;
}

/** Null: there is none. */
function bytesOf(body: Buffer | Upload): Buffer | Readable | null {
  if (!Buffer.isBuffer(body)) return body.stream;
  return body.length > 0 ? body : null;
}

/** Null: not forwarded. A key in the path would go to the provider. */
function routeOf(provider: Provider, exchange: Exchange, path: string): RouteMatch | null {
  return carriesKey(path) ? null : matchRoute(provider, exchange.request.method ?? '', path);
}

/** WebSockets carry what no route here can meter. */
function asksForWebSocket(exchange: Exchange): boolean {
  return /\bwebsocket\b/i.test(exchange.header('upgrade') ?? '');
}

function isBindingMissing(thrown: unknown): thrown is VendoError {
  return thrown instanceof VendoError && thrown.code === 'binding_missing';
}
