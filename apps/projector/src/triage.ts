import type { StoredRecord } from '@vendo/event-log';
import {
  BadRecordError,
  decodeEvent,
  EVENTS,
  type EventRecord,
  type EventType,
  newestVersion,
  POSITION_HEADER,
  SEQ_HEADER,
  type VendoEvent,
} from '@vendo/events';
import type { Fact, Projection } from './projection.js';

/** What a batch holds for one projection. */
export interface Triage {
  /** To fold, each with the record it came from, in offset order. */
  facts: { record: StoredRecord; fact: Fact }[];
  /** To park: what cannot be folded, with the reason. */
  bad: { record: StoredRecord; reason: string }[];
  /** The last journal position seen, parked records included. */
  position: bigint;
}

/** The journal as it arrives has a hole: something between the ledger and here lost a record. Fatal for the partition. */
export class JournalGapError extends Error {
  override name = 'JournalGapError';
}

/**
 * Sorts the records of one partition into what to fold and what to park; pure.
 * @param position the last journal position folded before them. Throws JournalGapError.
 */
export function triage(projection: Projection, records: readonly StoredRecord[], position: bigint): Triage {
  const sorted: Triage = { facts: [], bad: [], position };
  for (const record of records) {
    const place = placeOf(projection, record);
    if (place && projection.order === 'journal') {
      if (place.position <= sorted.position) continue;
      if (place.position > sorted.position + 1n)
        throw new JournalGapError(`position ${place.position} follows ${sorted.position}`);
      sorted.position = place.position;
    }
    const read = readFact(projection, record);
    if (read === null) continue;
    if (typeof read === 'string') sorted.bad.push({ record, reason: read });
    else sorted.facts.push({ record, fact: read });
  }
  return sorted;
}

/** The fact in a record, null when the projection does not handle it, or why it cannot be folded. */
export function readFact(projection: Projection, record: EventRecord): Fact | string | null {
  const place = placeOf(projection, record);
  if (!place) return 'a journal record without its position and seq';
  const read = readEvent(projection, record);
  return read === null || typeof read === 'string' ? read : { event: read, ...place };
}

const NO_PLACE = { position: 0n, seq: 0n };

function placeOf({ order }: Projection, { headers }: EventRecord): typeof NO_PLACE | null {
  return order === 'journal' ? journalPlace(headers) : NO_PLACE;
}

function journalPlace(headers: EventRecord['headers']): typeof NO_PLACE | null {
  const position = wholeNumber(headers[POSITION_HEADER]);
  const seq = wholeNumber(headers[SEQ_HEADER]);
  return position === null || seq === null ? null : { position, seq };
}

function wholeNumber(text: string | undefined): bigint | null {
  return text !== undefined && /^\d{1,18}$/.test(text) ? BigInt(text) : null;
}

function readEvent(projection: Projection, record: EventRecord): VendoEvent | string | null {
  const type = newestVersion(record.headers.ce_type ?? '');
  const handled = (projection.handles as readonly string[]).includes(type);
  if (!handled && Object.hasOwn(EVENTS, type)) return null;
  try {
    const event = decodeEvent(record) as VendoEvent<EventType>;
    return projection.refuse(event) ?? event;
  } catch (thrown) {
    if (thrown instanceof BadRecordError) return thrown.message;
    throw thrown;
  }
}
