import { ERRORS, type ErrorCode, VendoError } from '@vendo/errors';
import type { Clock } from '@vendo/runtime';
import { type Dispatcher, Pool } from 'undici';
import { z } from 'zod';
import { LedgerClient } from './ledger-client.js';
import { ReserveLane } from './reserve-lane.js';
import {
  AdoptAnswer,
  type AdoptSpool,
  type Beat,
  BeatAnswer,
  Caps,
  CreditEntry,
  type GrantCredit,
  OpenHold,
  ParkedRecord,
  type ReserveAnswer,
  ReserveAnswers,
  type ReserveCommand,
  type SetCaps,
  type SpoolRef,
  SpoolState,
  type WriteOff,
} from './schemas.js';

/** One attempt; a reserve tries again within its 6 s. */
const ANSWER_WITHIN_MS = 2_500;
const CONNECTIONS = 6;

const Holds = z.object({ holds: z.array(OpenHold) });
const Spools = z.object({ spools: z.array(SpoolState) });
const Parked = z.object({ parked: z.array(ParkedRecord) });
const Refused = z.object({ error: z.object({ code: z.string(), message: z.string() }) });

/** No answer, or one that says "not now": the same request may be sent again. */
class UnansweredError extends Error {
  override name = 'UnansweredError';
}

/** The ledger over HTTP on keep-alive connections, with the internal token. */
export class HttpLedgerClient extends LedgerClient {
  private readonly pool: Pool;
  private readonly headers: Record<string, string>;
  private readonly lanes = new Map<string, ReserveLane>();

  /** @param url the ledger's origin; @param token VENDO_INTERNAL_TOKEN. */
  constructor(
    url: string,
    token: string,
    private readonly clock: Clock,
  ) {
    super();
    this.pool = new Pool(new URL(url).origin, {
      connections: CONNECTIONS,
      headersTimeout: ANSWER_WITHIN_MS,
      bodyTimeout: ANSWER_WITHIN_MS,
      connect: { timeout: ANSWER_WITHIN_MS },
    });
    this.headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
  }

  reserve(spool: SpoolRef, command: ReserveCommand): Promise<ReserveAnswer> {
    return this.lane(spool).ask(command);
  }

  beat(beat: Beat): Promise<BeatAnswer> {
    return this.ask('POST', '/internal/beat', BeatAnswer, beat);
  }

  adopt(adoption: AdoptSpool): Promise<AdoptAnswer> {
    return this.ask('POST', '/internal/spools/adopt', AdoptAnswer, adoption);
  }

  writeOff(writeOff: WriteOff): Promise<SpoolState> {
    return this.ask('POST', '/internal/spools/write-off', SpoolState, writeOff);
  }

  async replay(parkedId: string): Promise<void> {
    await this.ask('POST', `/internal/parked/${encodeURIComponent(parkedId)}/replay`, z.object({}));
  }

  grantCredit(credit: GrantCredit): Promise<CreditEntry> {
    return this.ask('POST', '/internal/credits', CreditEntry, credit);
  }

  setCaps(caps: SetCaps): Promise<Caps> {
    return this.ask('PUT', '/internal/caps', Caps, caps);
  }

  async openHolds(tenantId: string): Promise<OpenHold[]> {
    const path = `/internal/tenants/${encodeURIComponent(tenantId)}/holds`;
    return (await this.ask('GET', path, Holds)).holds;
  }

  async spools(): Promise<SpoolState[]> {
    return (await this.ask('GET', '/internal/spools', Spools)).spools;
  }

  async parked(): Promise<ParkedRecord[]> {
    return (await this.ask('GET', '/internal/parked', Parked)).parked;
  }

  async close(): Promise<void> {
    await this.pool.destroy();
  }

  /** A process has one spool; a new one after an adoption begins a lane of its own. */
  private lane(spool: SpoolRef): ReserveLane {
    const known = this.lanes.get(spool.id);
    if (known) return known;
    const lane = new ReserveLane(
      spool,
      async (ref, commands) => {
        const body = { spool: ref, commands };
        return (await this.request('POST', '/internal/reserve', ReserveAnswers, body)).answers;
      },
      this.clock,
    );
    this.lanes.set(spool.id, lane);
    return lane;
  }

  private ask<Shape extends z.ZodType>(
    method: Dispatcher.HttpMethod,
    path: string,
    shape: Shape,
    body?: unknown,
  ): Promise<z.infer<Shape>> {
    return this.request(method, path, shape, body).catch((thrown: unknown) => {
      throw thrown instanceof VendoError
        ? thrown
        : new VendoError('billing_unavailable', undefined, {}, { cause: thrown });
    });
  }

  /** Throws VendoError for what the ledger has decided, UnansweredError for everything that may be asked again. */
  private async request<Shape extends z.ZodType>(
    method: Dispatcher.HttpMethod,
    path: string,
    shape: Shape,
    body?: unknown,
  ): Promise<z.infer<Shape>> {
    const { status, json } = await this.exchange(method, path, body);
    // A wrong internal token is this installation's fault; "unauthorized" would blame the caller's key.
    if (status >= 500 || status === 401) throw new UnansweredError(`the ledger answered ${status}`);
    if (status >= 400) throw refusalOf(json);
    const parsed = shape.safeParse(json);
    if (!parsed.success) throw new UnansweredError(`the ledger's answer to ${path} is not readable`);
    return parsed.data;
  }

  private async exchange(method: Dispatcher.HttpMethod, path: string, body?: unknown) {
    const { statusCode, body: answer } = await this.pool.request({
      method,
      path,
      headers: this.headers,
      signal: AbortSignal.timeout(ANSWER_WITHIN_MS),
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    return { status: statusCode, json: await answer.json().catch(() => undefined) };
  }
}

function refusalOf(json: unknown): VendoError {
  const refused = Refused.safeParse(json);
  if (!refused.success || !Object.hasOwn(ERRORS, refused.data.error.code))
    return new VendoError('internal_error');
  return new VendoError(refused.data.error.code as ErrorCode, refused.data.error.message);
}
