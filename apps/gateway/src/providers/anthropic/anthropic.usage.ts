import type { Quantity } from '@vendo/pricing';
import {
  countOf,
  eventKind,
  type Foreign,
  isObject,
  listOf,
  nameOf,
  objectOf,
  parseObject,
} from '../foreign-json.js';
import type { EventVerdict, Reading, SseEvent, UsageMeter } from '../provider.js';
import { quantitiesOf } from '../quantities.js';
import { ERRORS, Signs } from '../signs.js';
import { OutputFloor, type Speaking } from '../token-floor.js';
import { PASS, TERMINAL } from '../verdicts.js';
import { rateKeys, tierOf } from './anthropic.models.js';
import {
  hasSoundIterations,
  isCountOrNothing,
  isServedByFallback,
  metersOf,
  promptIn,
  SPLIT,
  type Spent,
  spentOf,
  type TokenCounts,
} from './anthropic.spent.js';

const OUTPUT = ['text', 'thinking', 'partial_json'];
/** All of a message's own events, and `content_block_start`, of which deltas have the beginning as well. */
const SIGNS = new Signs([...['message_', 'k_start'].map((text) => ({ text })), ...ERRORS]);
const DELTAS: Speaking = { sign: 'block_delta' };

/** Of a request, what decides prices. */
export interface Asked {
  geo: string | null;
  /** @param served the model that served the answer. */
  speedOf(served: string | null): string | null;
}

/** Messages: `usage` in the body; in a stream the input side in message_start, then cumulative in message_delta. */
export class MessagesMeter implements UsageMeter {
  readonly signs = SIGNS;
  readonly billsFailed = true;
  /** Each usage field as it was last reported; absent and null fields keep what was said before. */
  private usage: Record<string, unknown> = {};
  /** Those whose last word was no count: what was said before may not hold any more. */
  private readonly odd = new Set<string>();
  /** Those that were said of a model that declined, and not again since another took over. */
  private readonly outdated = new Set<string>();
  /** Models that declined after they had begun to answer, and what was reported of them. */
  private readonly declined: [model: string, spent: TokenCounts][] = [];
  private id: string | null = null;
  private model: string | null = null;
  private refused = false;
  private produced = false;
  private hasSession = false;
  /** Calls of tools that run at Anthropic; each may have been followed by one more inference. */
  private toolCalls = 0;
  /** Of the first inference, as a stream begins with it. */
  private firstPrompt = 0;
  private reported = false;
  private ended = false;
  private failed = false;
  readonly output = new OutputFloor(OUTPUT, DELTAS);

  /**
   * @param asked what holds where the answer does not say.
   * @param inputFloor the fewest tokens that the request can be.
   * @param isSession whether the container of the answer is a session that is paid for.
   */
  constructor(
    private readonly asked: Asked,
    private readonly inputFloor: () => number,
    private readonly isSession: (container: Foreign) => boolean,
  ) {}

  onEvent(event: SseEvent): EventVerdict {
    switch (eventKind(event)) {
      case 'message_start':
        this.readMessage(objectOf(parseObject(event.data)?.message));
        this.firstPrompt = promptIn(this.usage);
        return PASS;
      case 'content_block_start':
        this.readBlock(event.data);
        return PASS;
      case 'message_delta':
        this.readDelta(objectOf(parseObject(event.data)));
        return PASS;
      case 'error':
        this.failed = true;
        return PASS;
      case 'message_stop':
        this.ended = this.reported;
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
    // Iterations tell of those that declined; without them it is known of those that had begun.
    const declined = isServedByFallback(this.usage) ? [] : this.declined;
    const { output_tokens, ...reported } = declined.length > 0 ? this.current(this.usage) : this.usage;
    const passed = this.output.tokens - declined.reduce((sum, [, { output }]) => sum + output, 0);
    const output = Math.max(countOf(output_tokens) ?? 0, passed);
    const reading = this.read({
      ...(reported.input_tokens === undefined ? { input_tokens: this.inputFloor() } : {}),
      ...reported,
      output_tokens: output,
    });
    return { ...reading, quantities: [...reading.quantities, ...linesOf(declined)] };
  }

  private read(usage: Foreign): Reading {
    const spent = spentOf(isServedByFallback(usage) ? this.current(usage) : usage, this.model);
    const unbilled = this.refused && (!this.produced || countOf(usage.output_tokens) === 0);
    return {
      model: spent?.model ?? this.model,
      tier: spent ? this.tier(spent.model) : null,
      quantities: spent && !unbilled ? this.quantities(spent) : [],
      contextTokens: spent ? this.contextTokens(spent) : 0,
      state: spent ? this.state() : 'none',
      failed: this.failed,
      upstreamId: this.id,
    };
  }

  private readMessage(message: Foreign): void {
    this.id = nameOf(message.id) ?? this.id;
    this.model = nameOf(message.model) ?? this.model;
    const content = listOf(message.content).map(objectOf);
    if (content.length > 0) this.produced = true;
    this.toolCalls += content.filter(({ type }) => SERVER_TOOLS.has(type)).length;
    this.readEnd(message);
    this.readUsage(message.usage);
  }

  private readDelta({ delta, usage }: Foreign): void {
    this.readEnd(objectOf(delta));
    this.readUsage(usage);
    const reports = countOf(objectOf(usage).output_tokens) !== null;
    this.reported ||= reports;
    const { stop_reason } = objectOf(delta);
    // One that says that there is no reason to stop is not the last.
    if (stop_reason === undefined ? reports : this.reported && stop_reason !== null) this.ended = true;
  }

  private readEnd({ stop_reason, container }: Foreign): void {
    if (stop_reason === 'refusal') this.refused = true;
    if (isObject(container) && this.isSession(container)) this.hasSession = true;
  }

  private readBlock(data: string): void {
    if (BLOCK.test(data)) {
      const block = objectOf(parseObject(data)?.content_block);
      if (SERVER_TOOLS.has(block.type)) this.toolCalls += 1;
      else if (block.type === 'fallback') this.readFallback(block);
    }
    this.produced = true;
  }

  /** What follows is of another model; the message was begun in the name of the one that has declined. */
  private readFallback({ to }: Foreign): void {
    const { speed: _, ...reported } = this.usage;
    // One that declined before it had begun to answer is free.
    const spent = this.produced ? spentOf(this.current(reported), this.model) : null;
    if (spent && this.model !== null) this.declined.push([this.model, spent.own]);
    this.model = nameOf(objectOf(to).model) ?? this.model;
    this.usage = reported;
    for (const field of Object.keys(reported))
      if (field.endsWith('_tokens') || field === 'cache_creation') this.outdated.add(field);
  }

  /** What was said of the model that is at work. */
  private current(usage: Foreign): Foreign {
    if (this.outdated.size === 0) return usage;
    return Object.fromEntries(Object.entries(usage).filter(([field]) => !this.outdated.has(field)));
  }

  private readUsage(usage: unknown): void {
    const reported = objectOf(usage);
    for (const field of FIELDS) {
      const value = reported[field.name] ?? null;
      if (value === null) continue;
      this.outdated.delete(field.name);
      const isSound = field.isSound(value);
      if (isSound) this.odd.delete(field.name);
      else this.odd.add(field.name);
      // Counts that are no counts cannot take the place of sound ones.
      if (field.members) this.takeMembers(field.name, field.members, objectOf(value));
      else if (isSound) this.usage[field.name] = value;
    }
  }

  private takeMembers(field: string, members: readonly string[], said: Foreign): void {
    const before = objectOf(this.usage[field]);
    const taken: Record<string, unknown> = {};
    for (const member of members) taken[member] = countOf(said[member]) ?? before[member];
    this.usage[field] = taken;
  }

  /**
   * Prompt tokens of the largest single inference. Where tools at Anthropic ran and no iterations are told, the whole is
   * the sum of so many inferences at most, of which the largest has at least its even share.
   */
  private contextTokens({ contextTokens, isSum }: Spent): number {
    if (!isSum || this.toolCalls === 0) return contextTokens;
    return Math.max(this.firstPrompt, Math.ceil(contextTokens / (this.toolCalls + 1)));
  }

  private tier(served: string | null): string {
    const { speed, inference_geo } = this.usage;
    return tierOf({
      speed: nameOf(speed) ?? this.asked.speedOf(served),
      geo: nameOf(inference_geo) ?? this.asked.geo,
    });
  }

  private quantities({ own, others }: Spent): Quantity[] {
    const { web_search_requests, web_fetch_requests } = objectOf(this.usage.server_tool_use);
    return [
      ...quantitiesOf(metersOf(own)),
      ...linesOf(others),
      ...quantitiesOf({
        web_searches: countOf(web_search_requests) ?? 0,
        web_fetches: countOf(web_fetch_requests) ?? 0,
        code_sessions: this.hasSession ? 1 : 0,
      }),
    ];
  }

  private state(): Reading['state'] {
    const { input_tokens, output_tokens } = this.usage;
    const isWhole = input_tokens !== undefined && output_tokens !== undefined;
    const isSound = this.odd.size === 0 && hasSoundIterations(this.usage);
    return this.ended && isWhole && isSound ? 'final' : 'partial';
  }
}

/** Of other models than the call's own. */
function linesOf(spent: Iterable<readonly [model: string, counts: TokenCounts]>): Quantity[] {
  return [...spent].flatMap(([model, counts]) =>
    quantitiesOf(metersOf(counts), { model, rateKeys: rateKeys(model) }),
  );
}

const SERVER_TOOLS: ReadonlySet<unknown> = new Set(['server_tool_use', 'mcp_tool_use']);
/** A block that counts; those of tools' results can be large. */
const BLOCK = /"type"\s*:\s*"(?:(?:server|mcp)_tool_use|fallback)"/;

/** A field of the usage object that is billed on, or decides a price; `members`: of an object, its counts that are. */
interface Field {
  name: string;
  members?: readonly string[];
  isSound(value: unknown): boolean;
}

const FIELDS: readonly Field[] = [
  countField('input_tokens'),
  countField('cache_read_input_tokens'),
  countField('cache_creation_input_tokens'),
  membersField('cache_creation', SPLIT),
  countField('output_tokens'),
  membersField('server_tool_use', ['web_search_requests', 'web_fetch_requests']),
  // Of these that is asked at the end.
  { name: 'iterations', isSound: () => true },
  nameField('speed'),
  nameField('inference_geo'),
];

function countField(name: string): Field {
  return { name, isSound: (value) => countOf(value) !== null };
}

function membersField(name: string, members: readonly string[]): Field {
  const isSound = (value: unknown): boolean =>
    isObject(value) && members.every((member) => isCountOrNothing(value[member]));
  return { name, members, isSound };
}

/** An empty one says nothing. */
function nameField(name: string): Field {
  return { name, isSound: (value) => value === '' || nameOf(value) !== null };
}
