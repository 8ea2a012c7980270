import { VendoError } from '@vendo/errors';
import { z } from 'zod';
import { nameOf } from '../foreign-json.js';
import type { MeteredRequest, RouteRequest } from '../provider.js';
import { invalid, readRequestBody } from '../request-body.js';
import { isNoModel } from './muapi.models.js';
import { SubmitMeter } from './muapi.usage.js';

/** In the query, and in the body as MuAPI's own command line sends it. */
const WEBHOOKS = ['webhook', 'webhook_url'] as const;
/** An earlier job, to be gone on with. In the query it is nothing that MuAPI documents. */
const EARLIER_JOBS = ['request_id', 'task_id', 'prediction_id'] as const;

const SubmitBody = z.object(
  Object.fromEntries([...WEBHOOKS, ...EARLIER_JOBS].map((field) => [field, z.unknown().optional()])),
);

/**
 * Throws VendoError route_not_supported for a path that is no model, invalid_body also for a webhook. A model that has
 * no price goes no further than to its quote.
 */
export function readSubmit({ body, params, query }: RouteRequest): MeteredRequest {
  const { model = '' } = params;
  if (isNoModel(model)) throw new VendoError('route_not_supported');
  const request = readRequestBody(body, SubmitBody);
  const webhook = WEBHOOKS.find((name) => query.has(name) || Boolean(request[name]));
  if (webhook) throw invalid(`"${webhook}" is not supported here: poll for the result.`);
  return {
    model,
    stream: false,
    tier: 'standard',
    body,
    // One unit of each: a flat model costs its price, and a dynamic one may cost the ceiling.
    bound: { kind: 'units', units: { requests: 1, usd: 1 } },
    needs: ['requests', 'usd'],
    accountObjects: EARLIER_JOBS.filter(
      (field) => query.has(field) || (Boolean(request[field]) && nameOf(request[field]) === null),
    ),
    storedObjects: EARLIER_JOBS.flatMap((field) => {
      const id = nameOf(request[field]);
      return id === null ? [] : [{ field, id }];
    }),
    stores: true,
    meter: () => new SubmitMeter(),
  };
}
