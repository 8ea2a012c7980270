import type { Behaviour } from '../directives.js';
import { imageBase64 } from '../media.js';
import { type Json, newId, objectOf } from '../wire.js';

/** What a tool found is read by the model: so many tokens of input for each use. */
const TOKENS_PER_USE = 1_000;
const IMAGE_TOKENS = { input: 50, output: 272 };

/** The uses of OpenAI's own tools in one response. */
export interface ToolUses {
  items: readonly Json[];
  /** Tokens that they add to the input. */
  inputTokens: number;
  /** `response.tool_usage`, which is not part of `usage`. */
  toolUsage: Json;
}

/** Each of OpenAI's own tools that the request offers is used, once unless the model name says how often. */
export function toolUsesOf(tools: readonly unknown[], query: string, behaviour: Behaviour): ToolUses {
  const container = newId('cntr_');
  const times = behaviour.tooluses ?? 1;
  const items = tools
    .map((tool) => String(objectOf(tool).type))
    .flatMap((type) => Array.from({ length: times }, () => itemOf(type, query, container)))
    .filter((item) => item !== null);
  const count = (type: string): number => items.filter((item) => item.type === type).length;
  return {
    items,
    inputTokens: items.length * TOKENS_PER_USE,
    toolUsage: {
      image_gen: imageUsage(count('image_generation_call')),
      web_search: { num_requests: count('web_search_call') },
    },
  };
}

function itemOf(type: string, query: string, container: string): Json | null {
  if (type.startsWith('web_search'))
    return {
      id: newId('ws_'),
      type: 'web_search_call',
      status: 'completed',
      action: { type: 'search', queries: [query], query },
    };
  switch (type) {
    case 'file_search':
      return {
        id: newId('fs_'),
        type: 'file_search_call',
        status: 'completed',
        queries: [query],
        results: null,
      };
    case 'code_interpreter':
      return {
        id: newId('ci_'),
        type: 'code_interpreter_call',
        status: 'completed',
        code: 'print(6 * 7)',
        container_id: container,
        outputs: null,
      };
    case 'image_generation':
      return {
        id: newId('ig_'),
        type: 'image_generation_call',
        status: 'completed',
        background: 'opaque',
        output_format: 'png',
        quality: 'low',
        result: imageBase64({ bytes: 3_000 }),
        revised_prompt: query,
        size: '1024x1024',
      };
    default:
      return null;
  }
}

function imageUsage(images: number): Json {
  const input = IMAGE_TOKENS.input * images;
  const output = IMAGE_TOKENS.output * images;
  return {
    input_tokens: input,
    input_tokens_details: { image_tokens: 0, text_tokens: input },
    output_tokens: output,
    output_tokens_details: { image_tokens: output, text_tokens: 0 },
    total_tokens: input + output,
  };
}

type Write = (type: string, data: Json) => string;

/** What happens while a tool works, by the type of its item. */
const STAGES: Readonly<Record<string, readonly string[]>> = {
  web_search_call: ['in_progress', 'searching', 'completed'],
  file_search_call: ['in_progress', 'searching', 'completed'],
  code_interpreter_call: ['in_progress', 'interpreting', 'completed'],
  image_generation_call: ['in_progress', 'generating', 'completed'],
};
/** What is not known before the tool is done. */
const UNKNOWN_AT_FIRST: Json = { result: null, queries: [], code: '' };

/** The events of one item that is no message and no call of the client's own tools. */
export function toolEvents(item: Json, output_index: number, write: Write): string[] {
  const place = { output_index, item_id: item.id };
  const early = Object.keys(item).filter((key) => key in UNKNOWN_AT_FIRST);
  const begun = {
    ...item,
    ...(item.status === undefined ? {} : { status: 'in_progress' }),
    ...Object.fromEntries(early.map((key) => [key, UNKNOWN_AT_FIRST[key]])),
  };
  const code = item.type === 'code_interpreter_call' ? codeEvents(item, place, write) : [];
  const [first, ...rest] = (STAGES[String(item.type)] ?? []).map(
    (stage) => () => write(`response.${item.type}.${stage}`, place),
  );
  return [
    write('response.output_item.added', { output_index, item: begun }),
    ...(first ? [first()] : []),
    ...code.map((event) => event()),
    ...rest.map((event) => event()),
    write('response.output_item.done', { output_index, item }),
  ];
}

function codeEvents({ code, type }: Json, place: Json, write: Write): (() => string)[] {
  return [
    () => write(`response.${type}_code.delta`, { ...place, delta: code }),
    () => write(`response.${type}_code.done`, { ...place, code }),
  ];
}
