import { VendoError } from '@vendo/errors';
import type { z } from 'zod';

/** What a request says, checked. Throws VendoError `invalid_request` that names the first wrong field. */
export function parseRequest<Shape extends z.ZodType>(schema: Shape, given: unknown): z.infer<Shape> {
  const parsed = schema.safeParse(given);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  throw new VendoError('invalid_request', `${issue?.path.join('.') || 'request'}: ${issue?.message}`);
}
