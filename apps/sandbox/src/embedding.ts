import { promptTokens } from './reply.js';
import { type Json, wholeNumber } from './wire.js';

const DIMENSIONS = 1_536;
const VECTOR = Float32Array.from({ length: DIMENSIONS }, (_, index) => Math.fround(Math.sin(index + 1)));

/** The one vector of the sandbox, as long and in the encoding that the request asks for. */
export function vectorOf({ dimensions, encoding_format }: Json): number[] | string {
  const vector = VECTOR.subarray(0, wholeNumber(dimensions) ?? DIMENSIONS);
  return encoding_format === 'base64'
    ? Buffer.from(vector.buffer, vector.byteOffset, vector.byteLength).toString('base64')
    : Array.from(vector);
}

/** One text, one list of token ids, or a list of either. */
export function inputsOf(input: unknown): readonly unknown[] {
  return Array.isArray(input) && typeof input[0] !== 'number' ? input : [input];
}

export function inputTokens(input: unknown): number {
  return Array.isArray(input) ? input.length : promptTokens(input, 0);
}
