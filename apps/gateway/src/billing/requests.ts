import { z } from 'zod';
import { SpendCaps } from '../operator/requests.js';

export const UsagePeriod = z.enum(['day', 'month'], 'must be day or month');
export type UsagePeriod = z.infer<typeof UsagePeriod>;

export const BalanceQuery = z.object({
  detail: z.enum(['0', '1'], 'must be 0 or 1').default('0'),
  /** A sequence number of the tenant's journal. */
  min_seq: z
    .string('must be a whole number')
    .regex(/^\d{1,15}$/, 'must be a whole number')
    .default('0')
    .transform(Number),
});

const AppId = z.uuid('must be the id of an app').toLowerCase();

export const UsageQuery = z.object({ period: UsagePeriod.default('month'), app_id: AppId.optional() });

export const CapsQuery = z.object({ app_id: AppId.optional() });

export const CapsChange = z
  .strictObject(SpendCaps)
  .refine((change) => Object.keys(change).length > 0, 'must name a cap to change');
