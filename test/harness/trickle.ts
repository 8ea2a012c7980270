import type { RateRow } from './admin-client.js';
import type { ProductUnderTest } from './product-under-test.js';
import type { RawAnswer } from './raw-http.js';
import type { SeenAnswer } from './streams.js';

const MODELS = { json: 'sandbox-bytes600', streamed: 'sandbox-chunks20' } as const;
type Kind = keyof typeof MODELS;
const KINDS: readonly Kind[] = ['json', 'streamed'];
const EVERY_MS = 50;

export const TRICKLE_RATES: RateRow[] = KINDS.flatMap((kind) =>
  ['input_tokens', 'output_tokens'].map((meter) => ({
    provider: 'openai',
    model: MODELS[kind],
    meter,
    unit_cost_usd: '2.71',
    per: '1000000',
  })),
);

/** From the moment a call was due to the last byte of its answer, ms. */
export type Times = Record<Kind, number[]>;

/** 20 short calls a second, JSON and streamed in turn, whether or not earlier ones have ended: no stall is left out. */
export class Trickle {
  readonly seen: SeenAnswer[] = [];

  constructor(
    private readonly product: ProductUnderTest,
    private readonly key: string,
  ) {}

  /** Calls until `work` is done; resolves when the last call is answered too. */
  async during(work: Promise<unknown>): Promise<Times> {
    const times: Times = { json: [], streamed: [] };
    const calls: Promise<void>[] = [];
    let isOver = false;
    const over = work.finally(() => {
      isOver = true;
    });
    over.catch(() => undefined); // thrown below, when the loop has ended
    for (let dueMs = performance.now(); !isOver; dueMs += EVERY_MS) {
      await new Promise((resolve) => setTimeout(resolve, Math.max(dueMs - performance.now(), 0)));
      const kind = KINDS[calls.length % KINDS.length] ?? 'json';
      calls.push(this.call(kind, dueMs).then((tookMs) => void times[kind].push(tookMs)));
    }
    await Promise.all([over, ...calls]);
    return times;
  }

  private async call(kind: Kind, dueMs: number): Promise<number> {
    const { status, headers, body } = await this.ask(kind).catch(() => NO_ANSWER);
    const tookMs = performance.now() - dueMs;
    this.seen.push({
      provider: 'openai',
      status,
      requestId: headers['x-request-id'] ?? null,
      complete: status === 200 && (kind === 'json' || body.includes('data: [DONE]')),
      errorCode: headers['vendo-error-code'] ?? null,
      tookMs,
    });
    return tookMs;
  }

  private ask(kind: Kind): Promise<Pick<RawAnswer, 'status' | 'headers' | 'body'>> {
    return this.product.raw({
      method: 'POST',
      path: '/proxy/openai/v1/chat/completions',
      headers: { authorization: `Bearer ${this.key}`, 'content-type': 'application/json' },
      body: JSON.stringify({
        model: MODELS[kind],
        stream: kind === 'streamed',
        max_tokens: 200,
        messages: [{ role: 'user', content: 'Something short' }],
      }),
    });
  }
}

const NO_ANSWER = { status: 0, headers: {} as Record<string, string>, body: Buffer.alloc(0) };

/** The least of the figures that `share` of them do not exceed. */
export function at(figures: readonly number[], share: number): number {
  const sorted = figures.toSorted((a, b) => a - b);
  return sorted[Math.max(Math.ceil(share * sorted.length) - 1, 0)] ?? Number.NaN;
}
