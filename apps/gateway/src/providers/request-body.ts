import { isUtf8 } from 'node:buffer';
import { VendoError } from '@vendo/errors';
import type { z } from 'zod';
import { type Foreign, objectOf } from './foreign-json.js';
import { IntricateJsonError, topLevelMembers } from './json-members.js';

/**
 * Reads the fields of a JSON request body that billing depends on; everything else is ignored.
 * A key that the schema names may stand only once: which of two the provider reads is not ours to guess.
 * Throws VendoError `invalid_body`; its message names the field and never quotes the body.
 */
export function readRequestBody<Shape extends z.ZodObject>(body: Buffer, schema: Shape): z.infer<Shape> {
  // Before parsing: what is refused here would take seconds to parse.
  refuseIntricateAndRepeated(body, schema);
  const read = schema.safeParse(parse(body));
  if (read.success) return read.data;
  const [issue] = read.error.issues;
  throw invalid(`"${issue?.path.join('.')}" is missing or not what this route takes.`);
}

export function invalid(message: string): VendoError {
  return new VendoError('invalid_body', message);
}

/** The members of a body that was read before: what a whole call keeps of its request is the bytes alone. */
export function readAgain(body: Buffer): Foreign {
  return objectOf(parse(body));
}

function parse(body: Buffer): unknown {
  // Bytes that are no text are read differently by everybody.
  if (!isUtf8(body)) throw invalid('The body is not UTF-8.');
  let json: unknown;
  try {
    json = JSON.parse(body.toString('utf8'));
  } catch {
    throw invalid('The body is not valid JSON.');
  }
  if (typeof json !== 'object' || json === null || Array.isArray(json))
    throw invalid('The body is not a JSON object.');
  return json;
}

function refuseIntricateAndRepeated(body: Buffer, schema: z.ZodObject): void {
  const seen = new Set<string>();
  try {
    for (const { key } of topLevelMembers(body, (name) => Object.hasOwn(schema.shape, name))) {
      if (seen.has(key)) throw invalid(`The body names "${key}" more than once.`);
      seen.add(key);
    }
  } catch (thrown) {
    if (thrown instanceof IntricateJsonError)
      throw invalid('The body is nested too deeply or has too many values.');
    if (thrown instanceof SyntaxError) throw invalid('The body is not valid JSON.');
    throw thrown;
  }
}
