import type { Quantity } from '@vendo/pricing';
import {
  countOf,
  eventKind,
  type Foreign,
  isNamed,
  isObject,
  listOf,
  nameOf,
  objectOf,
  parseObject,
} from '../foreign-json.js';
import type { EventVerdict, Reading, SseEvent, UsageMeter } from '../provider.js';
import { quantitiesOf } from '../quantities.js';
import { OutputFloor } from '../token-floor.js';
import { type Circumstances, rateKeys, tierOf } from './anthropic.models.js';

const PASS: EventVerdict = { terminal: false, drop: false };
const TERMINAL: EventVerdict = { terminal: true, drop: false };

const OUTPUT = ['text', 'thinking', 'partial_json'];
const CONTENT_OR_PING = /^event: (?:content_block_delta|content_block_stop|ping)\n/;

/** Messages: `usage` in the body; in a stream the input side in message_start, then cumulative in message_delta. */
export class MessagesMeter implements UsageMeter {
  /** Each usage field as it was last reported; absent and null fields keep what was said before. */
  private usage: Record<string, unknown> = {};
  private id: string | null = null;
  private model: string | null = null;
  private refused = false;
  private produced = false;
  private usesContainer = false;
  private ended = false;
  private failed = false;
  private readonly output = new OutputFloor(OUTPUT);

  /**
   * @param asked speed and place of the request, which hold where the answer does not say.
   * @param inputFloor the fewest tokens that the request can be.
   */
  constructor(
    private readonly asked: Circumstances,
    private readonly inputFloor: () => number,
  ) {}

  /** Deltas are most of a stream, and their name says that they are. */
  glance(lines: string): boolean {
    if (lines.includes('content_block_delta')) this.output.take(lines);
    return isNamed(lines, CONTENT_OR_PING);
  }

  onEvent(event: SseEvent): EventVerdict {
    switch (eventKind(event)) {
      case 'message_start':
        this.readMessage(objectOf(parseObject(event.data)?.message));
        return PASS;
      case 'content_block_start':
        this.produced = true;
        return PASS;
      case 'message_delta':
        this.readDelta(objectOf(parseObject(event.data)));
        return PASS;
      case 'error':
        this.failed = true;
        return PASS;
      case 'message_stop':
        return TERMINAL;
      default:
        return PASS;
    }
  }

  onBody(json: unknown): void {
    const body = objectOf(json);
    if (body.type === 'error' || isObject(body.error)) this.failed = true;
    this.readMessage(body);
    this.ended = isObject(body.usage);
  }

  onTornBody(text: string): void {
    // What a tool at Anthropic said is input, though it stands in the answer.
    if (!text.includes('tool_result')) this.output.takeBody(text);
  }

  reading(): Reading {
    return this.read(this.usage);
  }

  /** The input is reported in the first event; the output is what was reported of it, or what has passed. */
  counted(): Reading {
    const { output_tokens, ...reported } = this.usage;
    const output = Math.max(countOf(output_tokens) ?? 0, this.output.tokens);
    return this.read({
      ...(reported.input_tokens === undefined ? { input_tokens: this.inputFloor() } : {}),
      ...reported,
      output_tokens: output,
    });
  }

  private read(usage: Foreign): Reading {
    const spent = spentOf(usage, this.model);
    const unbilled = this.refused && (!this.produced || countOf(usage.output_tokens) === 0);
    return {
      model: this.model,
      tier: spent ? this.tier() : null,
      quantities: spent && !unbilled ? this.quantities(spent) : [],
      contextTokens: spent?.contextTokens ?? 0,
      state: spent ? this.state() : 'none',
      failed: this.failed,
      upstreamId: this.id,
    };
  }

  private readMessage(message: Foreign): void {
    this.id = nameOf(message.id) ?? this.id;
    this.model = nameOf(message.model) ?? this.model;
    if (listOf(message.content).length > 0) this.produced = true;
    this.readEnd(message);
    this.readUsage(message.usage);
  }

  private readDelta({ delta, usage }: Foreign): void {
    this.readEnd(objectOf(delta));
    this.readUsage(usage);
    if (countOf(objectOf(usage).output_tokens) !== null) this.ended = true;
  }

  private readEnd({ stop_reason, container }: Foreign): void {
    if (stop_reason === 'refusal') this.refused = true;
    if (isObject(container)) this.usesContainer = true;
  }

  private readUsage(usage: unknown): void {
    const reported = objectOf(usage);
    for (const field of FIELDS) if (isSound(field, reported[field])) this.usage[field] = reported[field];
  }

  private tier(): string {
    const { speed, inference_geo } = this.usage;
    return tierOf({
      speed: nameOf(speed) ?? this.asked.speed,
      geo: nameOf(inference_geo) ?? this.asked.geo,
    });
  }

  private quantities({ own, others }: Spent): Quantity[] {
    const { web_search_requests, web_fetch_requests } = objectOf(this.usage.server_tool_use);
    return [
      ...quantitiesOf(metersOf(own)),
      ...[...others].flatMap(([model, counts]) =>
        quantitiesOf(metersOf(counts), { model, rateKeys: rateKeys(model) }),
      ),
      ...quantitiesOf({
        web_searches: countOf(web_search_requests) ?? 0,
        web_fetches: countOf(web_fetch_requests) ?? 0,
        code_sessions: this.usesContainer ? 1 : 0,
      }),
    ];
  }

  private state(): Reading['state'] {
    const { input_tokens, output_tokens } = this.usage;
    return this.ended && input_tokens !== undefined && output_tokens !== undefined ? 'final' : 'partial';
  }
}

/** What is billed on, or decides its price. */
const FIELDS = [
  'input_tokens',
  'cache_read_input_tokens',
  'cache_creation_input_tokens',
  'cache_creation',
  'output_tokens',
  'server_tool_use',
  'iterations',
  'speed',
  'inference_geo',
] as const;

/** Counts that are no counts are as good as absent, so that they cannot take the place of sound ones. */
function isSound(field: string, value: unknown): boolean {
  if (value === null || value === undefined) return false;
  return field.endsWith('_tokens') ? countOf(value) !== null : true;
}

/** Disjoint token counts of one model. */
interface TokenCounts {
  input: number;
  cacheRead: number;
  write5m: number;
  write1h: number;
  output: number;
}

interface Spent {
  /** Of the call's own model. */
  own: TokenCounts;
  /** Of models that worked for it: advisors, fallbacks. */
  others: ReadonlyMap<string, TokenCounts>;
  /** Prompt tokens of the largest single inference, which alone decides about long-context prices. */
  contextTokens: number;
}

const ZERO: TokenCounts = { input: 0, cacheRead: 0, write5m: 0, write1h: 0, output: 0 };

/**
 * What the usage object bills: the sum of its iterations where it has them (the top level leaves out compaction and
 * advisors), else its top level. Never less than the top level says. Null: no count is reported.
 */
function spentOf(usage: Foreign, ownModel: string | null): Spent | null {
  const top = countsOf(usage);
  const others = new Map<string, TokenCounts>();
  let own: TokenCounts | null = null;
  let contextTokens = 0;
  for (const iteration of listOf(usage.iterations).map(objectOf)) {
    const counts = countsOf(iteration);
    if (!counts) continue;
    contextTokens = Math.max(contextTokens, promptOf(counts));
    const model = nameOf(iteration.model);
    if (model === null || model === ownModel) own = combine(own ?? ZERO, counts, add);
    else others.set(model, combine(others.get(model) ?? ZERO, counts, add));
  }
  if (!top && !own && others.size === 0) return null;
  const whole = top ?? ZERO;
  return {
    own: combine(own ?? ZERO, whole, Math.max),
    others,
    contextTokens: contextTokens || promptOf(whole),
  };
}

function countsOf(usage: Foreign): TokenCounts | null {
  const input = countOf(usage.input_tokens);
  const output = countOf(usage.output_tokens);
  const cacheRead = countOf(usage.cache_read_input_tokens);
  const written = writesOf(usage);
  if (input === null && output === null && cacheRead === null && written === null) return null;
  const { write5m, write1h } = written ?? ZERO;
  return { input: input ?? 0, cacheRead: cacheRead ?? 0, write5m, write1h, output: output ?? 0 };
}

/** Cache writes by lifetime; what the split does not call one-hour is five minutes, also where an old model sends no split. */
function writesOf(usage: Foreign): Pick<TokenCounts, 'write5m' | 'write1h'> | null {
  const split = objectOf(usage.cache_creation);
  const fiveMinutes = countOf(split.ephemeral_5m_input_tokens);
  const oneHour = countOf(split.ephemeral_1h_input_tokens);
  const total = countOf(usage.cache_creation_input_tokens);
  if (total === null && fiveMinutes === null && oneHour === null) return null;
  if (total === null) return { write5m: fiveMinutes ?? 0, write1h: oneHour ?? 0 };
  const write1h = Math.min(oneHour ?? 0, total);
  return { write5m: total - write1h, write1h };
}

function promptOf({ input, cacheRead, write5m, write1h }: TokenCounts): number {
  return input + cacheRead + write5m + write1h;
}

function combine(a: TokenCounts, b: TokenCounts, how: (x: number, y: number) => number): TokenCounts {
  return {
    input: how(a.input, b.input),
    cacheRead: how(a.cacheRead, b.cacheRead),
    write5m: how(a.write5m, b.write5m),
    write1h: how(a.write1h, b.write1h),
    output: how(a.output, b.output),
  };
}

/** Two counts together; beyond 2^53-1 no sum is exact, and no such answer exists. */
function add(x: number, y: number): number {
  return Math.min(x + y, Number.MAX_SAFE_INTEGER);
}

function metersOf(counts: TokenCounts): Parameters<typeof quantitiesOf>[0] {
  return {
    input_tokens: counts.input,
    cache_read_tokens: counts.cacheRead,
    cache_write_tokens: counts.write5m,
    cache_write_1h_tokens: counts.write1h,
    output_tokens: counts.output,
  };
}
