import { expect, it } from '@jest/globals';
import fc from 'fast-check';
import { readRequest } from '../providers/read-answer.contract.js';
import { providerBySlug } from '../providers/registry.js';
import { BodyReader } from './body-reader.js';

const element = fc.record(
  {
    candidates: fc.constantFrom<unknown>(
      [{ content: { parts: [{ text: 'one\n}\n,\n{ "finishReason"' }] } }],
      [{ finishReason: 'STOP' }],
      [{ groundingMetadata: { webSearchQueries: ['a', 'b'] } }],
    ),
    usageMetadata: fc.record({ promptTokenCount: fc.nat({ max: 99 }), candidatesTokenCount: fc.nat() }),
    error: fc.constant({ code: 503 }),
    modelVersion: fc.constant('gemini-2.5-flash'),
  },
  { requiredKeys: ['modelVersion'] },
);

function readingOf(body: string) {
  const gemini = providerBySlug('gemini');
  if (!gemini) throw new Error('no gemini');
  const meter = readRequest(gemini, '/v1beta/models/gemini-2.5-flash:streamGenerateContent', {}).meter();
  const reader = new BodyReader(meter);
  reader.feed(Buffer.from(body));
  reader.end();
  return meter.reading();
}

const overLines = (elements: readonly object[]) =>
  `[${elements.map((one) => JSON.stringify(one, null, 1)).join(',\r\n')}\n]`.replace(/\}\n\]$/, '}\n]');

it('a list over lines says the same as one that is parsed whole', () =>
  fc.assert(
    fc.property(fc.array(element, { minLength: 1, maxLength: 9 }), (elements) => {
      expect(readingOf(overLines(elements))).toEqual(readingOf(JSON.stringify(elements)));
    }),
    { numRuns: 500 },
  ));

it.each(['', ']', ',', '{', '\n}'])('a list with %j behind it is torn', (behind) => {
  const list = overLines([{ usageMetadata: { promptTokenCount: 5, candidatesTokenCount: 7 } }]);
  expect(readingOf(list + behind).openEnded).toBe(behind !== '');
});
