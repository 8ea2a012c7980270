import { randomUUID } from 'node:crypto';
import type { EventRecord } from '@vendo/events';
import { LogMismatchError, type LogPosition, OffsetOutOfRangeError } from './event-log.js';

/** `ce_type` of the record at offset 0 of each partition; its `ce_id` is the id of the log. */
const GENESIS_TYPE = 'Genesis';

/** The first offset that holds an event. */
export const FIRST_OFFSET = 1n;

export function newLogId(): string {
  return randomUUID();
}

export function genesisRecord(logId: string): EventRecord {
  return {
    key: '',
    headers: { ce_specversion: '1.0', ce_type: GENESIS_TYPE, ce_id: logId },
    value: Buffer.alloc(0),
  };
}

export function isGenesis(record: Pick<EventRecord, 'headers'>): boolean {
  return record.headers.ce_type === GENESIS_TYPE;
}

/**
 * The offset that a reader at `from` reads next, genesis left out. Throws LogMismatchError when the position was taken
 * on another log, OffsetOutOfRangeError when it lies beyond `head` (the next offset that will be written).
 */
export function startingOffset(
  where: string,
  from: LogPosition,
  log: { logId: string; head: bigint },
): bigint {
  if (from.logId !== null && from.logId !== log.logId) {
    throw new LogMismatchError(`${where} is log ${log.logId}, the position was taken on log ${from.logId}`);
  }
  const next = from.next < FIRST_OFFSET ? FIRST_OFFSET : from.next;
  if (next > log.head)
    throw new OffsetOutOfRangeError(`${where}: offset ${next} is beyond the head ${log.head}`);
  return next;
}
