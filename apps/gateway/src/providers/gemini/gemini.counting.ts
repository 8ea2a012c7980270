import { countOf, type Foreign, isObject, objectOf } from '../foreign-json.js';
import type { JobReport, JobTerms } from '../provider.js';
import { quantitiesOf } from '../quantities.js';
import { readAgain } from '../request-body.js';
import { partsOf } from './gemini.contents.js';
import { embeddedOf } from './gemini.counts.js';
import { PREFIX } from './gemini.models.js';

/**
 * Much longer than a question of ours takes: a count that waits in the spool of a gateway comes before what another one
 * would charge. The hold stays open for longer than that, and for the pause between two looks of the poller.
 */
const ASKED_FOR_MS = 600_000;
const TTL_MS = 900_000;
/** What anything but a text may be: more than any model takes. */
const TOKENS_OF_A_PART = 1_048_576;
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
    // Embeddings take any role or none; a count is refused for one that it does not know.
    const contents = contentsOf(readAgain(body))
      .filter(isObject)
      .map(({ parts }) => ({ role: 'user', parts }));
    if (contents.length === 0) return null;
    const asked = Buffer.from(JSON.stringify({ contents }));
    const others = partsOf(contents).filter((part) => !isTextPart(part));
    return {
      path: `/v1beta/models/${bare}:countTokens`,
      body: asked,
      // A token has at least a byte of the text; the JSON around each leaves room for marks of its beginning and end.
      tokensMax: asked.length + others.length * TOKENS_OF_A_PART,
    };
  };
  return { job: { ttlMs: TTL_MS, tier: 'standard', unreported: { forMs: ASKED_FOR_MS, question } } };
}

function isTextPart(part: unknown): boolean {
  return isObject(part) && typeof part.text === 'string';
}

/**
 * What `:countTokens` says. No text is no token: a zero says nothing, and nor does a count whose parts are none. Of which
 * model it is, is not known here: film that it counts has no price.
 */
export function readTokenCount(json: unknown): JobReport {
  const { totalTokens, promptTokensDetails } = objectOf(json);
  const tokens = countOf(totalTokens);
  if (!tokens) return { state: 'running' };
  const { counts, film, isSound } = embeddedOf(tokens, promptTokensDetails, null);
  if (!isSound) return { state: 'running' };
  return {
    state: 'done',
    reading: {
      model: null,
      tier: null,
      quantities: [...quantitiesOf(counts), ...film],
      contextTokens: tokens,
      state: 'final',
      evidence: 'counted',
      failed: false,
      upstreamId: null,
    },
  };
}
