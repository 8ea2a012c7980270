import { isUtf8 } from 'node:buffer';
import { Rational } from '@vendo/money';
import type { Quantity } from '@vendo/pricing';
import { type Foreign, isObject, nameOf, objectOf, parseObject } from '../foreign-json.js';
import { HeadMeter } from '../head-meter.js';
import { topLevelMembers } from '../json-members.js';
import type { OwnAnswers, Reading } from '../provider.js';
import { rateKeys } from './composio.models.js';

const ERROR_CHARS_MAX = 1_000;

/** Calls follow from the request once Composio has accepted it: it bills failed executions as well. */
export class ActionMeter extends HeadMeter {
  private accepted = false;
  private failed = false;
  private logId: string | null = null;

  /**
   * @param called what the request names.
   * @param tools one for each call, repeated ones included.
   */
  constructor(
    private readonly called: string,
    private readonly tools: readonly string[],
  ) {
    super();
  }

  onHead(): void {
    this.accepted = true;
  }

  override onBody(json: unknown): void {
    const body = objectOf(json);
    this.accepted = true;
    this.failed = body.successful === false;
    this.logId = nameOf(body.log_id);
  }

  reading(): Reading {
    return {
      model: null,
      tier: null,
      quantities: this.accepted ? this.calls() : [],
      contextTokens: 0,
      state: this.accepted ? 'final' : 'none',
      evidence: 'header',
      failed: this.failed,
      upstreamId: this.logId,
    };
  }

  /** Every tool at its own price, in whatever call it ran. */
  private calls(): Quantity[] {
    return this.tools.map((tool) => ({
      meter: 'composio.action_call',
      quantity: Rational.ONE,
      ...(tool === this.called ? {} : { model: tool, rateKeys: rateKeys(tool) }),
    }));
  }
}

/** Answers of `/v1/execute`: `{"data"}`, with `"error"` beside it where the action failed, and `{"error"}` where the call did. */
export const ownAnswers: OwnAnswers = {
  answer(status, body) {
    const answer = isUtf8(body) ? parseObject(body.toString()) : null;
    const error = errorOf(answer);
    if (status >= 300) return json({ error: error ?? `Composio answered with status ${status}.` });
    const failure = answer?.successful === false ? (error ?? 'The action failed.') : null;
    const tail = failure === null ? '}' : `,"error":${JSON.stringify(failure)}}`;
    return Buffer.concat([Buffer.from('{"data":'), dataOf(body, answer !== null), Buffer.from(tail)]);
  },
  refusal(body) {
    const { code, toolkit } = body.error;
    return code === 'binding_missing' ? { error: code, toolkit } : body;
  },
};

function json(value: object): Buffer {
  return Buffer.from(JSON.stringify(value));
}

/** As it came, byte for byte: parsing and writing it again would damage integers beyond 2^53. */
function dataOf(body: Buffer, isJson: boolean): Buffer {
  const members = isJson ? membersOf(body) : [];
  const data = members.at(-1);
  return data ? body.subarray(data.start, data.end) : Buffer.from('null');
}

function membersOf(body: Buffer) {
  try {
    return topLevelMembers(body, (key) => key === 'data');
  } catch {
    // Too intricate to be looked through.
    return [];
  }
}

/** Composio says it as `error`, which is a text or has one, or as `message`. */
function errorOf(answer: Foreign | null): string | null {
  const { error, message } = objectOf(answer);
  const texts = [error, isObject(error) ? error.message : undefined, message];
  const text = texts.find((one): one is string => typeof one === 'string' && one !== '');
  return text?.slice(0, ERROR_CHARS_MAX) ?? null;
}
