import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { BadRecordError, decodeEvent, EVENTS, encodeEvent } from './envelope.js';
import { UPCASTERS } from './gateway-events.js';

const FOLDER = path.join(import.meta.dirname, 'fixtures', 'golden');
const GOLDEN = readdirSync(FOLDER).map((file) => file.replace(/\.json$/, ''));
/** What old versions are read as: their data and what was added since. */
const ADDED: Readonly<Record<string, { type: string; data: object }>> = {
  'UsageMeasured.v1': { type: 'UsageMeasured.v2', data: { provider_units: null } },
};
const WRITTEN = Object.keys(EVENTS).filter((type) => !Object.hasOwn(UPCASTERS, type));

/** A record as it was stored on the log; these files are never edited, a new shape gets a new file. */
interface StoredRecord {
  key: string;
  headers: Record<string, string>;
  /** The exact bytes, as text. */
  value: string;
}

function golden(type: string): StoredRecord {
  return JSON.parse(readFileSync(path.join(FOLDER, `${type}.json`), 'utf8'));
}

function stored(type: string): { headers: Record<string, string>; value: Buffer } {
  const { headers, value } = golden(type);
  return { headers, value: Buffer.from(value) };
}

describe('stored events', () => {
  it('have a golden file for every version of the registry', () =>
    expect(GOLDEN.sort()).toEqual(expect.arrayContaining(Object.keys(EVENTS).sort())));

  it.each(GOLDEN)('%s is still read as it was stored, brought to the newest version', (type) => {
    const { key, headers, value } = golden(type);
    const newest = ADDED[type] ?? { type, data: {} };
    expect(decodeEvent(stored(type))).toEqual({
      id: headers.ce_id,
      type: newest.type,
      tenantId: key,
      at: headers.ce_time,
      data: { ...JSON.parse(value), ...newest.data },
    });
  });

  it('are read as a version that is written', () =>
    expect(GOLDEN.filter((type) => !WRITTEN.includes(decodeEvent(stored(type)).type))).toEqual([]));

  it.each(WRITTEN)('%s is still written as it was stored, byte by byte', (type) => {
    const { key, headers, value } = golden(type);
    const { ce_source = '', ...rest } = headers;
    const extensions = Object.fromEntries(
      Object.entries(rest).filter(([name]) => /^ce_(spool|number|position|seq)$/.test(name)),
    );
    const written = encodeEvent(decodeEvent(stored(type)), ce_source, extensions);
    expect({ ...written, value: written.value.toString() }).toEqual({ key, headers, value });
  });

  it.each(Object.keys(EVENTS))('%s with a field that the registry does not know is a bad record', (type) => {
    const { headers, value } = golden(type);
    const extended = JSON.stringify({ ...JSON.parse(value), surprise: 1 });
    expect(() => decodeEvent({ headers, value: Buffer.from(extended) })).toThrow(BadRecordError);
  });

  it.each([
    ['an unknown type', { ce_type: 'HoldVanished.v1' }, '{}'],
    ['a name of Object.prototype', { ce_type: 'constructor' }, '{}'],
    ['no type', {}, '{}'],
    ['a value that is no JSON', { ce_type: 'HoldSettled.v1' }, '{'],
    ['a cost that is no integer', { ce_type: 'HoldSettled.v1' }, '{"cost_micros":0.5}'],
  ])('%s is a bad record', (_, headers, value) =>
    expect(() => decodeEvent({ headers, value: Buffer.from(value) })).toThrow(BadRecordError),
  );
});
