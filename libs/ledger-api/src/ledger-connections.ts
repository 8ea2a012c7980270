import { ERRORS, type ErrorCode, VendoError } from '@vendo/errors';
import { type Dispatcher, Pool } from 'undici';
import { z } from 'zod';

/** One attempt; who needs the answer asks again. */
const ANSWER_WITHIN_MS = 2_500;
/** Two reserves, up to three beats while a ledger hangs, and the operator's. */
const CONNECTIONS = 8;

const Refused = z.object({ error: z.object({ code: z.string(), message: z.string() }) });
const WrongOwner = z.object({
  error: z.object({ code: z.literal('wrong_owner'), owner: z.string().nullable() }),
});

/** No answer, or one that says "not now": the same request may be sent again, here or elsewhere. */
export class UnansweredError extends Error {
  override name = 'UnansweredError';
}

/** Another ledger owns the shard that the request is about; `owner` is null while nobody does. */
export class MovedError extends Error {
  override name = 'MovedError';

  constructor(readonly owner: string | null) {
    super('another ledger owns the shard');
  }
}

/** A request to a ledger, wherever it goes. */
export interface LedgerRequest<Shape extends z.ZodType> {
  method: Dispatcher.HttpMethod;
  path: string;
  /** Of the answer. */
  shape: Shape;
  body?: unknown;
}

/** Keep-alive connections to ledgers, one pool for each origin, with the internal token on every request. */
export class LedgerConnections {
  private readonly pools = new Map<string, Pool>();
  private readonly headers: Record<string, string>;

  constructor(token: string) {
    this.headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
  }

  /** Throws VendoError for what the ledger has decided, MovedError, or UnansweredError for everything that may be asked again. */
  async request<Shape extends z.ZodType>(
    origin: string,
    { method, path, shape, body }: LedgerRequest<Shape>,
  ): Promise<z.infer<Shape>> {
    const { status, json } = await this.exchange(origin, method, path, body);
    // A wrong internal token is this installation's fault; "unauthorized" would blame the caller's key.
    if (status === 401) throw new VendoError('billing_unavailable');
    if (status === 421) throw movedOf(json);
    if (status >= 500) throw new UnansweredError(`the ledger answered ${status}`);
    if (status >= 400) throw refusalOf(json);
    const parsed = shape.safeParse(json);
    if (!parsed.success) throw new UnansweredError(`the ledger's answer to ${path} is not readable`);
    return parsed.data;
  }

  /** Closes the connections to every other ledger, once what is in flight there has ended. */
  keep(origins: readonly string[]): void {
    for (const [origin, pool] of this.pools) {
      if (origins.includes(origin)) continue;
      this.pools.delete(origin);
      void pool.close();
    }
  }

  async close(): Promise<void> {
    await Promise.all([...this.pools.values()].map((pool) => pool.destroy()));
  }

  private async exchange(origin: string, method: Dispatcher.HttpMethod, path: string, body: unknown) {
    try {
      const { statusCode, body: answer } = await this.pool(origin).request({
        method,
        path,
        headers: this.headers,
        signal: AbortSignal.timeout(ANSWER_WITHIN_MS),
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
      return { status: statusCode, json: (await answer.json().catch(() => undefined)) as unknown };
    } catch (thrown) {
      throw new UnansweredError('the ledger did not answer', { cause: thrown });
    }
  }

  private pool(origin: string): Pool {
    const known = this.pools.get(origin);
    if (known) return known;
    const pool = new Pool(origin, {
      connections: CONNECTIONS,
      headersTimeout: ANSWER_WITHIN_MS,
      bodyTimeout: ANSWER_WITHIN_MS,
      connect: { timeout: ANSWER_WITHIN_MS },
    });
    this.pools.set(origin, pool);
    return pool;
  }
}

function movedOf(json: unknown): Error {
  const moved = WrongOwner.safeParse(json);
  return moved.success
    ? new MovedError(moved.data.error.owner)
    : new UnansweredError('the ledger answered 421 without an owner');
}

function refusalOf(json: unknown): VendoError {
  const refused = Refused.safeParse(json);
  if (!refused.success || !Object.hasOwn(ERRORS, refused.data.error.code))
    return new VendoError('internal_error');
  return new VendoError(refused.data.error.code as ErrorCode, refused.data.error.message);
}
