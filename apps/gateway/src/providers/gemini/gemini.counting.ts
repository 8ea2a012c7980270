import { countOf, type Foreign, isObject, objectOf } from '../foreign-json.js';
import type { JobReport, JobTerms } from '../provider.js';
import { quantitiesOf } from '../quantities.js';
import { readAgain } from '../request-body.js';
import { PREFIX } from './gemini.models.js';

/** Longer than a question of ours takes: then the gateway that could have asked it is gone. */
const ASKED_FOR_MS = 60_000;
const TTL_MS = 3_600_000;
/** Names that stand in a path as they are. */
const PLAIN_MODEL = /^[\w.-]{1,128}$/;

/**
 * Embeddings whose answer does not say what they used are counted by `:countTokens`.
 * @param contentsOf the contents that were embedded, of the request's members.
 */
export function countedAfterwards(
  model: string,
  body: Buffer,
  contentsOf: (request: Foreign) => readonly unknown[],
): { job?: JobTerms } {
  const bare = model.replace(PREFIX, '');
  if (!PLAIN_MODEL.test(bare)) return {};
  const question = () => {
    const contents = contentsOf(readAgain(body)).filter(isObject);
    if (contents.length === 0) return null;
    return {
      path: `/v1beta/models/${bare}:countTokens`,
      body: Buffer.from(JSON.stringify({ contents })),
    };
  };
  return { job: { ttlMs: TTL_MS, tier: 'standard', unreported: { forMs: ASKED_FOR_MS, question } } };
}

/** What `:countTokens` says. No text is no token: a zero says nothing. */
export function readTokenCount(json: unknown): JobReport {
  const tokens = countOf(objectOf(json).totalTokens);
  if (!tokens) return { state: 'running' };
  return {
    state: 'done',
    reading: {
      model: null,
      tier: null,
      quantities: quantitiesOf({ input_tokens: tokens }),
      contextTokens: tokens,
      state: 'final',
      evidence: 'counted',
      failed: false,
      upstreamId: null,
    },
  };
}
