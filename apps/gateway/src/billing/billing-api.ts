import type { ErrorCode } from '@vendo/errors';
import { z } from 'zod';
import type { ApiDoc } from '../openapi/documented.js';

const key = {
  appKey: {
    type: 'http' as const,
    scheme: 'bearer' as const,
    description: 'A key `vendo_sk_..` of an app: sees its app.',
  },
  connectionKey: {
    type: 'http' as const,
    scheme: 'bearer' as const,
    description: 'A key `vendo_sk_..` of a connection: sees its connection.',
  },
};

const identityToken = {
  type: 'http' as const,
  scheme: 'bearer' as const,
  bearerFormat: 'JWT',
  description: 'A token of the identity provider (ES256 or RS256): sees its tenant.',
};

const BAD_KEY = ['app_unknown', 'app_revoked', 'app_expired', 'unauthorized'] as const satisfies ErrorCode[];

/** What the billing routes have in common. */
export const BILLING_API: ApiDoc = {
  tag: 'Billing API',
  security: { ...key, identityToken },
  errorBody: (codes) =>
    codes.some((code) => code === 'invalid_body' || code === 'body_too_large')
      ? // Refused before the route is looked at, in the shape of all other routes.
        z.object({ error: z.object({ code: z.string().optional(), message: z.string() }) })
      : z.strictObject({ error: z.strictObject({ message: z.string() }) }),
  refuses: [...BAD_KEY, 'billing_unavailable', 'internal_error'],
};

/** What the routes of the command line have in common. */
export const CLI_API: ApiDoc = {
  tag: 'Billing API, command line',
  security: key,
  errorBody: () => z.strictObject({ message: z.string() }),
  refuses: [...BAD_KEY, 'billing_unavailable', 'internal_error'],
};
