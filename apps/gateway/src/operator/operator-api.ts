import type { ErrorCode } from '@vendo/errors';
import { z } from 'zod';
import type { ApiDoc } from '../openapi/documented.js';

/** What all routes of the operator API have in common. */
export const OPERATOR_API: ApiDoc = {
  tag: 'Operator API',
  security: {
    adminToken: { type: 'http', scheme: 'bearer', description: 'The operator’s token, `VENDO_ADMIN_TOKEN`.' },
  },
  errorBody: (codes: readonly [ErrorCode, ...ErrorCode[]]) =>
    z.strictObject({ error: z.strictObject({ code: z.enum(codes), message: z.string() }) }),
  refuses: ['unauthorized', 'billing_unavailable', 'internal_error'],
};
