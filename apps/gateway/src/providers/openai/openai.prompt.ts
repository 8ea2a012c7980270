import { isObject, listOf, objectOf } from '../foreign-json.js';
import type { CostBound } from '../provider.js';

/** What OpenAI adds to the prompt around tools and output schemas, in tokens, generously: their bytes bound the rest. */
export const HIDDEN_PROMPT_TOKENS = 1_000;

export function tokens(input: number, output: number): CostBound {
  return Number.isSafeInteger(output) ? { kind: 'tokens', input, output } : { kind: 'ceiling' };
}

/** Models that use a fee-charging tool without being given one. */
export function searchesByItself(model: string): boolean {
  return /search|deep-research/.test(model);
}

/** Tools that run at the client: only their definitions cost tokens. Everything else runs at OpenAI and may cost anything. */
export function hasOnlyClientTools(tools: unknown): boolean {
  return listOf(tools).every((tool) => CLIENT_TOOLS.has(objectOf(tool).type));
}

const CLIENT_TOOLS: ReadonlySet<unknown> = new Set(['function', 'custom']);
const PLAIN_PARTS: ReadonlySet<unknown> = new Set(['text', 'refusal', 'input_text', 'output_text']);

export function isPlainPart(part: unknown): boolean {
  return isObject(part) && PLAIN_PARTS.has(part.type);
}

export function isText(value: unknown): value is string {
  return typeof value === 'string';
}

/** The text of messages: their content is one, or a list of parts. */
export function textsOf(messages: readonly unknown[]): string[] {
  return messages
    .map((message) => objectOf(message).content)
    .flatMap((content) => [content, ...listOf(content).map((part) => objectOf(part).text)])
    .filter(isText);
}

/** `file_id` stands in the part itself (Responses) or in its `file` (chat). */
export function namesFile(part: unknown): boolean {
  const { file_id, file } = objectOf(part);
  return Boolean(file_id) || Boolean(objectOf(file).file_id);
}
