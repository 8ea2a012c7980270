import type { z } from 'zod';
import { GATEWAY_EVENTS, UPCASTERS, type UsageMeasuredV1 } from './gateway-events.js';
import { LEDGER_EVENTS } from './ledger-events.js';

/** The topics; each has SHARD_COUNT partitions. */
export const GATEWAY_TOPIC = 'gateway.events';
export const LEDGER_TOPIC = 'ledger.events';
export type Topic = typeof GATEWAY_TOPIC | typeof LEDGER_TOPIC;

/** Every event type by its versioned name; a new shape is a new version with a pure upcaster, stored bytes never change. */
export const EVENTS = { ...GATEWAY_EVENTS, ...LEDGER_EVENTS };
type OldType = keyof typeof UPCASTERS;
/** The newest versions: what is written, and what a reader sees. */
export type EventType = Exclude<keyof typeof EVENTS, OldType>;
export type EventData<T extends EventType> = z.infer<(typeof EVENTS)[T]>;

/** One fact. `at` is ISO 8601 UTC; `id` names the fact for good: a repeat of the same fact has the same id. */
export type VendoEvent<T extends EventType = EventType> = {
  [K in T]: { id: string; type: K; tenantId: string; at: string; data: EventData<K> };
}[T];

/** What the event log carries: CloudEvents 1.0 in binary mode; the key is the tenant, headers are text. */
export interface EventRecord {
  key: string;
  headers: Record<string, string>;
  value: Buffer;
}

/** CloudEvents extension attributes of ours, as record headers. */
export const SPOOL_HEADER = 'ce_spool';
export const NUMBER_HEADER = 'ce_number';
export const POSITION_HEADER = 'ce_position';
export const SEQ_HEADER = 'ce_seq';

/** @param source the app that says it, e.g. `/gateway`; @param extensions further `ce_*` headers. */
export function encodeEvent(
  event: VendoEvent,
  source: string,
  extensions: Record<string, string> = {},
): EventRecord {
  return {
    key: event.tenantId,
    headers: {
      ce_specversion: '1.0',
      ce_id: event.id,
      ce_source: source,
      ce_type: event.type,
      ce_subject: event.tenantId,
      ce_time: event.at,
      'content-type': 'application/json',
      ...extensions,
    },
    value: Buffer.from(JSON.stringify(event.data)),
  };
}

/** A record that is no event of the registry; it carries why. Readers park such a record and go on. */
export class BadRecordError extends Error {
  override name = 'BadRecordError';
}

/** Reads a record back into its event, brought to the newest version. Throws BadRecordError for an unknown type or data that fails its schema. */
export function decodeEvent(record: Pick<EventRecord, 'headers' | 'value'>): VendoEvent {
  const { ce_type: type = '', ce_id: id = '', ce_subject: tenantId = '', ce_time: at = '' } = record.headers;
  if (!isStored(type)) throw new BadRecordError(`unknown event type ${JSON.stringify(type.slice(0, 80))}`);
  let json: unknown;
  try {
    json = JSON.parse(record.value.toString('utf8'));
  } catch {
    throw new BadRecordError(`${type} ${id}: the value is not JSON`);
  }
  const parsed = EVENTS[type].safeParse(json);
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    throw new BadRecordError(`${type} ${id}: ${issue?.path.join('.')}: ${issue?.message}`);
  }
  const data = isOld(type) ? UPCASTERS[type].upcast(parsed.data as UsageMeasuredV1) : parsed.data;
  return { id, type: newestVersion(type), tenantId, at, data } as VendoEvent;
}

/** The type that a record of this type is read as; any other name is itself. */
export function newestVersion(type: string): string {
  return isOld(type) ? UPCASTERS[type].to : type;
}

function isStored(type: string): type is keyof typeof EVENTS {
  return Object.hasOwn(EVENTS, type);
}

function isOld(type: string): type is OldType {
  return Object.hasOwn(UPCASTERS, type);
}
