import type { Behaviour } from '../directives.js';
import { type Json, newId, objectOf } from '../wire.js';

/** What a tool found is read by the model: so many tokens of input for each use. */
const TOKENS_PER_USE = 1_000;

/** The uses of Anthropic's own tools in one message. */
export interface ServerTools {
  blocks: readonly Json[];
  inputTokens: number;
  /** `usage.server_tool_use`; null when no such tool was offered. */
  usage: Json | null;
  /** Where code was run; null where none was. */
  container: Json | null;
}

/** Each of Anthropic's own tools that the request offers is used, once unless the model name says how often. */
export function serverToolsOf(tools: readonly unknown[], query: string, behaviour: Behaviour): ServerTools {
  const times = behaviour.tooluses ?? 1;
  const used = tools
    .map((tool) => KINDS.find(({ type }) => String(objectOf(tool).type).startsWith(type)))
    .filter((kind) => kind !== undefined)
    .flatMap((kind) => Array.from({ length: times }, () => kind));
  const count = (type: string): number => used.filter((kind) => kind.type === type).length;
  const ranCode = count('code_execution_') > 0;
  return {
    blocks: used.flatMap((kind) => blocksOf(kind, query)),
    inputTokens: used.length * TOKENS_PER_USE,
    usage:
      used.length === 0
        ? null
        : { web_search_requests: count('web_search_'), web_fetch_requests: count('web_fetch_') },
    container: ranCode ? { id: newId('container_'), expires_at: '2100-01-01T00:00:00Z' } : null,
  };
}

interface Kind {
  /** How its type begins; the rest is a date. */
  type: string;
  name: string;
  input(query: string): Json;
  result: unknown;
}

const KINDS: readonly Kind[] = [
  {
    type: 'web_search_',
    name: 'web_search',
    input: (query) => ({ query }),
    result: [
      {
        type: 'web_search_result',
        title: 'A page of the sandbox',
        url: 'https://pages.example/sandbox',
        encrypted_content: 'c2FuZGJveA==',
        page_age: null,
      },
    ],
  },
  {
    type: 'web_fetch_',
    name: 'web_fetch',
    input: () => ({ url: 'https://pages.example/sandbox' }),
    result: {
      type: 'web_fetch_result',
      url: 'https://pages.example/sandbox',
      retrieved_at: '2026-01-01T00:00:00Z',
      content: {
        type: 'document',
        title: 'A page of the sandbox',
        citations: null,
        source: { type: 'text', media_type: 'text/plain', data: 'Nothing but sand.' },
      },
    },
  },
  {
    type: 'code_execution_',
    name: 'bash_code_execution',
    input: () => ({ command: 'echo $((6 * 7))' }),
    result: { type: 'bash_code_execution_result', stdout: '42\n', stderr: '', return_code: 0, content: [] },
  },
];

function blocksOf({ name, input, result }: Kind, query: string): Json[] {
  const id = newId('srvtoolu_');
  return [
    { type: 'server_tool_use', id, name, input: input(query) },
    { type: `${name}_tool_result`, tool_use_id: id, content: result },
  ];
}
