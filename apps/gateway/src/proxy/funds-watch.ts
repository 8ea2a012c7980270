import { finished } from 'node:stream/promises';
import type { Logger } from '@vendo/runtime';
import { type Foreign, listOf, objectOf, parseObject } from '../providers/foreign-json.js';
import type { Provider, UsageMeter } from '../providers/provider.js';
import { ByteCollector } from './byte-collector.js';
import { type Coding, codingOf } from './decoding.js';
import type { ProxyMetrics } from './proxy-metrics.js';

/** Of an error answer, as it comes and in plain: a longer one is none of those that are looked for. */
const BODY_BYTES_MAX = 65_536;
const LOG_EVERY_MS = 60_000;
/** An event without this word tells of no error; nearly all are without. */
const TELLS_ERROR = /error/;

/** Tells operators that an account of theirs at a provider is out of money, by the provider's own answers to calls on it. */
export class FundsWatch {
  private readonly loggedAt = new Map<string, number>();

  constructor(
    private readonly logger: Logger,
    private readonly metrics: ProxyMetrics,
    private readonly nowMs: () => number,
  ) {}

  /** What takes the body of an error answer to a call on the operator's account; null: the provider says such a thing in none. */
  begin(provider: Provider, status: number, contentEncoding: string | undefined): ErrorBody | null {
    const { outOfFunds, slug } = provider;
    if (!outOfFunds || status < 400) return null;
    return new ErrorBody(codingOf(contentEncoding), (text) => {
      if (outOfFunds(status, objectOf(parseObject(text)))) this.tell(slug, status);
    });
  }

  /**
   * Has the meter of a call on the operator's account tell of the errors that it reads in a 2xx answer: they may come
   * after the status. What else it does stays as it is.
   */
  listen(provider: Provider, meter: UsageMeter): void {
    const { outOfFunds, slug } = provider;
    if (!outOfFunds) return;
    let isTold = false;
    const look = (json: unknown): void => {
      if (isTold || !errorsIn(json).some((error) => outOfFunds(statusIn(error), { error }))) return;
      isTold = true;
      this.tell(slug, 200);
    };
    const onEvent = meter.onEvent.bind(meter);
    const onBody = meter.onBody.bind(meter);
    meter.onEvent = (event) => {
      if (TELLS_ERROR.test(event.data)) look(parseObject(event.data));
      return onEvent(event);
    };
    meter.onBody = (json, source) => {
      look(json);
      onBody(json, source);
    };
  }

  /** Never what the answer says: there may be ids of the account in it. */
  private tell(provider: string, status: number): void {
    this.metrics.poolExhausted.inc({ provider });
    const now = this.nowMs();
    if (now - (this.loggedAt.get(provider) ?? Number.NEGATIVE_INFINITY) < LOG_EVERY_MS) return;
    this.loggedAt.set(provider, now);
    this.logger.error(
      { alert: 'pool_account_exhausted', provider, status },
      "the provider says that the operator's account is out of money",
    );
  }
}

/** The errors that an answer or one of its events carries: in itself, in what it completes, in a choice, in the last of a list. */
function errorsIn(json: unknown): unknown[] {
  const body = objectOf(Array.isArray(json) ? json.at(-1) : json);
  const carriers = [body, objectOf(body.response), ...listOf(body.choices).map(objectOf)];
  const errors = carriers.map(({ error }) => error).filter((error) => error !== undefined && error !== null);
  // An event that is an error says it of itself.
  return body.type === 'error' && errors.length === 0 ? [body] : errors;
}

/** Inside of a 2xx some providers say the status in the error. */
function statusIn(error: unknown): number {
  const { code }: Foreign = objectOf(error);
  return typeof code === 'number' ? code : 200;
}

/** A copy of an error answer's body, beside the one that the client gets. Never throws. */
export class ErrorBody {
  private readonly bytes = new ByteCollector();
  private isOver = false;

  /** @param coding as `codingOf` says it. @param whole gets the text, once; '' of what is too long or cannot be read. */
  constructor(
    private readonly coding: Coding | null | undefined,
    private readonly whole: (text: string) => void,
  ) {}

  feed(chunk: Buffer): void {
    if (this.isOver) return;
    if (this.bytes.length + chunk.length <= BODY_BYTES_MAX) this.bytes.add(chunk);
    else this.finish('');
  }

  /** The answer has ended, whole or not. Does nothing the second time. */
  end(): void {
    if (this.isOver) return;
    const bytes = this.bytes.take();
    if (!this.coding) this.finish(this.coding === null ? bytes.toString('utf8') : '');
    else {
      this.isOver = true;
      void plainOf(bytes, this.coding).then(this.whole);
    }
  }

  private finish(text: string): void {
    this.isOver = true;
    this.bytes.take();
    this.whole(text);
  }
}

async function plainOf(bytes: Buffer, coding: Coding): Promise<string> {
  const plain = new ByteCollector();
  const inflater = coding(bytes);
  inflater.on('data', (part: Buffer) => {
    if (plain.length + part.length <= BODY_BYTES_MAX) plain.add(part);
    else inflater.destroy(new Error('too long'));
  });
  inflater.end(bytes);
  return finished(inflater).then(
    () => plain.take().toString('utf8'),
    () => '',
  );
}
