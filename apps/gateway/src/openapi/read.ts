import { VendoError } from '@vendo/errors';
import type { z } from 'zod';

/** Reads what a route takes. Throws VendoError `invalid_request` that names the first wrong field, never its value. */
export function read<Schema extends z.ZodType>(schema: Schema, given: unknown): z.infer<Schema> {
  const parsed = schema.safeParse(given);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const field = issue?.path.join('.') || 'request';
  throw new VendoError('invalid_request', `${field}: ${issue?.message ?? 'is wrong'}`);
}
