import type { StoredRecord } from '@vendo/event-log';
import {
  BadRecordError,
  decodeEvent,
  type EventData,
  GATEWAY_TOPIC,
  NUMBER_HEADER,
  SPOOL_HEADER,
  shardOf,
} from '@vendo/events';
import { microsFromWire } from '@vendo/money';
import type { Report } from '../writer/work.js';

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

/**
 * Reads a record of gateway.events as a report to the writer. Never throws: what cannot be read asks to be parked.
 * @param next the consumer's offset after this record.
 */
export function readReport(record: StoredRecord, partition: number, logId: string, next: bigint): Report {
  const { key, headers, value, offset } = record;
  const report = {
    partition,
    logId,
    offset,
    next,
    spool: spoolOf(headers),
    holdId: uuidOrNull(looseHoldId(value)),
    tenantId: uuidOrNull(key),
    record: { key, headers, value },
  };
  return { ...report, asks: asksOf(record, partition) };
}

function asksOf(record: StoredRecord, partition: number): Report['asks'] {
  try {
    const { type, data } = decodeEvent(record);
    switch (type) {
      case 'HoldSettled.v1':
        return settleOf(record.key, data, partition);
      case 'UsageCorrected.v1':
        return correctionOf(record.key, data, partition);
      case 'JobStarted.v1':
        return jobOf(record.key, data, partition);
      case 'RecordLost.v1':
        return { kind: 'park', reason: `lost in the spool: ${data.reason}` };
      case 'HoldReserved.v1':
      case 'UsageMeasured.v2':
        return { kind: 'note' };
      default:
        return { kind: 'park', reason: `${type} is no event of ${GATEWAY_TOPIC}` };
    }
  } catch (thrown) {
    if (thrown instanceof BadRecordError) return { kind: 'park', reason: thrown.message };
    throw thrown;
  }
}

/** What a tenant's record says about another one's hold must not be read as its own. */
const MISDIRECTED = { kind: 'park', reason: 'tenant, key and partition do not belong together' } as const;

function belongs(key: string, tenantId: string, partition: number): boolean {
  return tenantId === key && shardOf(tenantId) === partition;
}

function correctionOf(key: string, data: EventData<'UsageCorrected.v1'>, partition: number): Report['asks'] {
  const { hold_id, tenant_id, n, cost_micros, reason } = data;
  if (!belongs(key, tenant_id, partition)) return MISDIRECTED;
  const cost = microsFromWire(cost_micros);
  const holdId = hold_id.toLowerCase();
  return { kind: 'correct', command: { type: 'correct', holdId, tenantId: tenant_id, n, cost, reason } };
}

function jobOf(key: string, data: EventData<'JobStarted.v1'>, partition: number): Report['asks'] {
  if (!belongs(key, data.tenant_id, partition)) return MISDIRECTED;
  const { hold_id, subject } = data;
  return {
    kind: 'job',
    job: { ...data, hold_id: hold_id.toLowerCase(), subject: subject.toLowerCase() },
  };
}

function settleOf(key: string, data: EventData<'HoldSettled.v1'>, partition: number): Report['asks'] {
  const { hold_id, tenant_id, subject, cost_micros, outcome } = data;
  if (!belongs(key, tenant_id, partition)) return MISDIRECTED;
  const cost = microsFromWire(cost_micros);
  return {
    kind: 'settle',
    command: {
      type: 'settle',
      holdId: hold_id.toLowerCase(),
      tenantId: tenant_id,
      subject: subject.toLowerCase(),
      cost,
      outcome,
    },
  };
}

function spoolOf(headers: Record<string, string>): Report['spool'] {
  const id = uuidOrNull(headers[SPOOL_HEADER]);
  const number = Number(headers[NUMBER_HEADER]);
  return id !== null && Number.isSafeInteger(number) && number > 0 ? { id, number } : null;
}

/** The hold of a record that may be damaged, so that its later records can follow it into the park. */
function looseHoldId(value: Buffer): unknown {
  try {
    const json: unknown = JSON.parse(value.toString('utf8'));
    return typeof json === 'object' && json !== null && 'hold_id' in json ? json.hold_id : undefined;
  } catch {
    return undefined;
  }
}

function uuidOrNull(text: unknown): string | null {
  return typeof text === 'string' && UUID.test(text) ? text.toLowerCase() : null;
}
