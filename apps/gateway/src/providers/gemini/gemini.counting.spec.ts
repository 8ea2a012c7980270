import { expect, it } from '@jest/globals';
import fc from 'fast-check';
import { readRequest } from '../read-answer.contract.js';
import { readTokenCount } from './gemini.counting.js';
import { gemini } from './gemini.provider.js';

const text = (...texts: string[]) => ({ role: 'user', parts: texts.map((one) => ({ text: one })) });

/** What would be asked after such a request; undefined: nothing. */
function questionAfter(path: string, body: unknown): unknown {
  const { job } = readRequest(gemini, path, body);
  if (!job?.unreported || !('question' in job.unreported)) return undefined;
  const asked = job.unreported.question();
  return (
    asked && { path: asked.path, body: JSON.parse(asked.body.toString()) as unknown, max: asked.tokensMax }
  );
}

const MODEL = '/v1beta/models/gemini-embedding-001';
const COMPATIBLE = '/v1beta/openai/embeddings';

it.each<[what: string, path: string, body: object, contents: object[]]>([
  ['one text', `${MODEL}:embedContent`, { content: text('a'), taskType: 'CLUSTERING' }, [text('a')]],
  ['another version', '/v1/models/gemini-embedding-001:embedContent', { content: text('a') }, [text('a')]],
  [
    'a batch',
    `${MODEL}:batchEmbedContents`,
    { requests: [{ content: text('a', 'b'), outputDimensionality: 768 }, { content: text('c') }] },
    [text('a', 'b'), text('c')],
  ],
  ['any role', `${MODEL}:embedContent`, { content: { ...text('a'), role: 'nobody' } }, [text('a')]],
  ['no role', `${MODEL}:embedContent`, { content: { parts: [{ text: 'a' }] } }, [text('a')]],
  ['an input', COMPATIBLE, { model: 'gemini-embedding-001', input: 'a' }, [text('a')]],
  ['a list', COMPATIBLE, { model: 'models/gemini-embedding-001', input: ['a', 'b'] }, [text('a'), text('b')]],
])('what is asked for is the count of all that was embedded: %s', (_, path, body, contents) =>
  expect(questionAfter(path, body)).toMatchObject({ path: `${MODEL}:countTokens`, body: { contents } }),
);

it.each<[what: string, path: string, body: object]>([
  ['no contents', `${MODEL}:embedContent`, { content: 'a' }],
  ['tokens', COMPATIBLE, { model: 'gemini-embedding-001', input: [[1, 2]] }],
])('of %s there is nothing to ask', (_, path, body) => expect(questionAfter(path, body)).toBeNull());

it.each<[what: string, path: string, body: object]>([
  ['whose name would be another path', COMPATIBLE, { model: '../files?a=', input: 'a' }],
  ['of others', COMPATIBLE, { model: 'tunedModels/mine', input: 'a' }],
])('a model %s is not asked for', (_, path, body) => expect(questionAfter(path, body)).toBeUndefined());

it.each<[what: string, parts: object, others: number]>([
  ['as there are bytes', [{ text: 'a' }, { text: '文' }], 0],
  ['as there are bytes, and as a model takes for anything else', [{ text: 'a' }, { inlineData: {} }], 1],
  ['and that for a part that is no list', { inlineData: {} }, 1],
])('a count is at most as many %s', (_, parts, others) => {
  const contents = [{ role: 'user', parts }];
  const max = Buffer.byteLength(JSON.stringify({ contents })) + others * 1_048_576;
  expect(questionAfter(`${MODEL}:embedContent`, { content: { parts } })).toMatchObject({ max });
});

it('a count is final, and known to be one', () =>
  expect(readTokenCount({ totalTokens: 31, promptTokensDetails: [] })).toMatchObject({
    state: 'done',
    reading: { state: 'final', evidence: 'counted', contextTokens: 31, failed: false },
  }));

it('a count has sound and pictures apart, and film, whose model is not known here, without a price', () => {
  const promptTokensDetails = [
    { modality: 'TEXT', tokenCount: 4 },
    { modality: 'AUDIO', tokenCount: 50 },
    { modality: 'VIDEO', tokenCount: 6 },
    { modality: 'IMAGE', tokenCount: 7 },
  ];
  const counted = readTokenCount({ totalTokens: 67, promptTokensDetails });
  if (counted.state !== 'done') throw new Error('it is a count');
  const { quantities, contextTokens } = counted.reading;
  expect(contextTokens).toBe(67);
  expect(quantities.map(({ meter, model, quantity }) => [meter, model, quantity.toDecimal()])).toEqual([
    ['input_tokens', undefined, '4'],
    ['audio_input_tokens', undefined, '50'],
    ['image_input_tokens', undefined, '7'],
    ['input_tokens', 'video', '6'],
  ]);
});

it.each([
  [{}],
  [{ totalTokens: 9, promptTokensDetails: 'x' }],
  [{ totalTokens: 0 }],
  [{ totalTokens: '31' }],
  [{ totalTokens: -1 }],
  [[]],
  [null],
])('%j is no count', (json) => expect(readTokenCount(json)).toEqual({ state: 'running' }));

it('reads anything', () =>
  fc.assert(fc.property(fc.jsonValue(), (json) => ['done', 'running'].includes(readTokenCount(json).state))));
