import { type Exchange, type Json, newId, sendJson } from '../wire.js';

const CATEGORIES = [
  'harassment',
  'harassment/threatening',
  'sexual',
  'hate',
  'hate/threatening',
  'illicit',
  'illicit/violent',
  'self-harm/intent',
  'self-harm/instructions',
  'self-harm',
  'sexual/minors',
  'violence',
  'violence/graphic',
];

/** POST /v1/moderations: nothing is ever flagged, and nothing is billed. */
export function answerModerations(exchange: Exchange, body: Json): void {
  const inputs = Array.isArray(body.input) && typeof body.input[0] === 'string' ? body.input : [body.input];
  const each = <Value>(value: Value): Record<string, Value> =>
    Object.fromEntries(CATEGORIES.map((category) => [category, value]));
  sendJson(exchange, 200, {
    id: newId('modr-'),
    model: body.model ?? 'omni-moderation-latest',
    results: inputs.map(() => ({
      flagged: false,
      categories: each(false),
      category_scores: each(0.000_01),
      category_applied_input_types: each(['text']),
    })),
  });
}
