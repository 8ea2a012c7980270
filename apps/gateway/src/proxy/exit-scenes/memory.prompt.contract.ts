import { chunk, sse } from '../memory.proxy-answers.js';
import type { Scene } from './memory.scene.contract.js';

/** `Tell`, `me`, `(all`, `)`, `of`, `it`. */
export const PROMPT = 'Tell me (all) of it';
export const ASKED = { input_tokens: 6 };
export const MESSAGES = [{ role: 'user', content: PROMPT }];
export const STREAMED = { stream: true, stream_options: { include_usage: true } };

export const REPORTED = { input_tokens: 70, output_tokens: 30 };
export const CHAT_USAGE = { prompt_tokens: 70, completion_tokens: 30 };
export const RESPONSES_USAGE = { input_tokens: 70, output_tokens: 30 };

/** What a stream of four words, and JSON of three, has counted on its way. */
export const STREAM_COUNTED: Scene['counted'] = [
  ASKED,
  { ...ASKED, output_tokens: 1 },
  { ...ASKED, output_tokens: 4 },
];
export const JSON_COUNTED: Scene['counted'] = [
  ASKED,
  { ...ASKED, output_tokens: 1 },
  { ...ASKED, output_tokens: 3 },
];
export const INPUT_COUNTED: Scene['counted'] = [ASKED, ASKED, ASKED];

/** A chunk of a chat that says so much. */
export function delta(content: string): string {
  return chunk({ choices: [{ index: 0, delta: { content } }] });
}

/** A part of a response that says so much. */
export function part(text: string): string {
  return sse('response.output_text.delta', { type: 'response.output_text.delta', delta: text });
}
