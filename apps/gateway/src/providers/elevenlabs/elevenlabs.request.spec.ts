import { describe, expect, it } from '@jest/globals';
import { readCatalogue } from '@vendo/registry';
import { readFormRequest, reported } from '../read-answer.contract.js';
import { elevenlabs } from './elevenlabs.provider.js';

describe('extras of elevenlabs transcripts', () => {
  it('has a price for every tier that ElevenLabs takes together, and each adds its part', async () => {
    const parts = { keyterms: 20, entities: 30, redaction: 30, edit: 30, roles: 10 };
    const rows = (await readCatalogue()).filter(({ model }) => model.startsWith('scribe_'));
    expect(new Set(rows.map(({ model }) => model)).size).toBe(3);
    for (const { tier, unit_cost_usd, per } of rows) {
      const names = tier === 'standard' ? [] : tier.split('+');
      const added = names.reduce((sum, name) => sum + parts[name as keyof typeof parts], 0);
      expect([tier, Number(unit_cost_usd), per]).toEqual([
        tier,
        Math.round(22 * (100 + added)) / 10_000,
        '3600',
      ]);
    }
    // An edit goes with neither entities nor their redaction.
    expect(rows).toHaveLength(3 * 2 * 5 * 2);
  });

  const terms = (count: number) => Array.from({ length: count }, (_, n) => `term ${n}`);
  it.each<[string, Parameters<typeof readFormRequest>[2], string, number]>([
    ['an edit of less than 10 s', { transcript_edit: 'a' }, '{"audio_duration_secs":3.5}', 10],
    ['an edit of more', { transcript_edit: 'a' }, '{"audio_duration_secs":10.5}', 10.5],
    ['100 key terms', { keyterms: terms(100) }, '{"audio_duration_secs":3.5}', 3.5],
    ['101 key terms', { keyterms: terms(101) }, '{"audio_duration_secs":3.5}', 20],
    ['101 key terms in one', { keyterms: JSON.stringify(terms(101)) }, '{"audio_duration_secs":3.5}', 20],
    [
      '60 key terms with commas',
      { keyterms: terms(60).map((term) => `${term}, x`) },
      '{"audio_duration_secs":3.5}',
      3.5,
    ],
    ['both', { keyterms: terms(101), transcript_edit: 'a' }, '{"audio_duration_secs":3.5}', 20],
    [
      'channels, which are one request',
      { keyterms: terms(101) },
      '{"transcripts":[{"audio_duration_secs":12},{"audio_duration_secs":12}]}',
      24,
    ],
    ['no length', { transcript_edit: 'a' }, '{"words":[{"end":1.5}]}', 10],
    ['nothing', { transcript_edit: 'a' }, '{}', 0],
  ])('of %s are billed for so many seconds at least', async (_, fields, body, seconds) => {
    const meter = (
      await readFormRequest(elevenlabs, '/v1/speech-to-text', { model_id: 'scribe_v2', ...fields })
    ).meter();
    meter.onBody(JSON.parse(body));
    expect(reported(meter).audio_seconds ?? 0).toBe(seconds);
  });

  it.each([
    ['{"words":[{"end":1.5},{"end":2', 10],
    ['{"language_code":"en', 0],
  ])('of an answer that broke off are the least as soon as there is a word: %s', async (torn, seconds) => {
    const fields = { model_id: 'scribe_v2', transcript_edit: 'a' };
    const meter = (await readFormRequest(elevenlabs, '/v1/speech-to-text', fields)).meter();
    meter.onTornBody(torn);
    expect(Number(meter.counted().quantities[0]?.quantity.toDecimal() ?? 0)).toBe(seconds);
  });
});
