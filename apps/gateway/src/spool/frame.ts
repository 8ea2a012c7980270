import { crc32 } from 'node:zlib';
import type { EventRecord } from '@vendo/events';

/**
 * Begins every frame. 0xff and 0xfe occur in no UTF-8 text, and keys, headers and values are text: so no tenant can
 * write a magic, and reading can resume at the next one behind damage. The byte layout is in docs/decisions/0005-spool.md.
 */
const MAGIC = Buffer.from([0xff, 0x56, 0x53, 0xfe]);
const CRC_AT = 4;
const LENGTH_AT = 8;
const PARTITION_AT = 12;
const FIRST_AT = 14;
const COUNT_AT = 20;
const WRITTEN_AT = 22;
const PREVIOUS_PARTITION_AT = 28;
const PREVIOUS_LAST_AT = 30;
const HEADER_BYTES = 36;
const NO_PARTITION = 0xffff;

/** Longest frame, bytes. Usage events have a few KB; the limit bounds what a damaged length can make a reader do. */
export const MAX_FRAME_BYTES = 2_097_152;

/** Where one partition stood: the last number that it had. */
export interface LastNumber {
  partition: number;
  last: number;
}

/** What a frame says about itself; its records are decoded only when they are needed. */
export interface Frame {
  partition: number;
  /** Number of its first record; the others follow without a gap. */
  first: number;
  count: number;
  /** Wall clock of the writer, for ages and lag. */
  writtenAtMs: number;
  /** The frame written just before this one; null for the first of a spool. It names what a destroyed frame held. */
  previous: LastNumber | null;
  /** The whole frame. */
  bytes: Buffer;
}

/** Checksums start from the spool's id, so that bytes of another spool (a reused disk block) are no frame here. */
export function checksumSeed(spoolId: string): number {
  return crc32(spoolId);
}

/** @throws RangeError when the frame would be longer than MAX_FRAME_BYTES, or has more than 65,535 records. */
export function encodeFrame(
  about: Omit<Frame, 'bytes' | 'count'>,
  records: readonly EventRecord[],
  seed: number,
): Buffer {
  const length = HEADER_BYTES + records.reduce((sum, record) => sum + recordBytes(record), 0);
  if (length > MAX_FRAME_BYTES) throw new RangeError(`a frame of ${length} bytes is too long`);
  const bytes = Buffer.allocUnsafe(length);
  MAGIC.copy(bytes);
  bytes.writeUInt32BE(length, LENGTH_AT);
  bytes.writeUInt16BE(about.partition, PARTITION_AT);
  bytes.writeUIntBE(about.first, FIRST_AT, 6);
  bytes.writeUInt16BE(records.length, COUNT_AT);
  bytes.writeUIntBE(about.writtenAtMs, WRITTEN_AT, 6);
  bytes.writeUInt16BE(about.previous?.partition ?? NO_PARTITION, PREVIOUS_PARTITION_AT);
  bytes.writeUIntBE(about.previous?.last ?? 0, PREVIOUS_LAST_AT, 6);
  let at = HEADER_BYTES;
  for (const record of records) at = writeRecord(bytes, at, record);
  bytes.writeUInt32BE(crc32(bytes.subarray(LENGTH_AT), seed), CRC_AT);
  return bytes;
}

/** The frame that begins at `at`, a view on `bytes`; null when no whole, undamaged frame begins there. */
export function frameAt(bytes: Buffer, at: number, seed: number): Frame | null {
  if (at + HEADER_BYTES > bytes.length) return null;
  if (MAGIC.compare(bytes, at, at + MAGIC.length) !== 0) return null;
  const length = bytes.readUInt32BE(at + LENGTH_AT);
  if (length < HEADER_BYTES || length > MAX_FRAME_BYTES || at + length > bytes.length) return null;
  if (crc32(bytes.subarray(at + LENGTH_AT, at + length), seed) !== bytes.readUInt32BE(at + CRC_AT))
    return null;
  const previousPartition = bytes.readUInt16BE(at + PREVIOUS_PARTITION_AT);
  return {
    partition: bytes.readUInt16BE(at + PARTITION_AT),
    first: bytes.readUIntBE(at + FIRST_AT, 6),
    count: bytes.readUInt16BE(at + COUNT_AT),
    writtenAtMs: bytes.readUIntBE(at + WRITTEN_AT, 6),
    previous:
      previousPartition === NO_PARTITION
        ? null
        : { partition: previousPartition, last: bytes.readUIntBE(at + PREVIOUS_LAST_AT, 6) },
    bytes: bytes.subarray(at, at + length),
  };
}

/** Where the next undamaged frame begins at or after `from`; -1 when there is none. */
export function nextFrameFrom(bytes: Buffer, from: number, seed: number): number {
  let at = bytes.indexOf(MAGIC, from);
  while (at >= 0 && frameAt(bytes, at, seed) === null) at = bytes.indexOf(MAGIC, at + 1);
  return at;
}

/** The records of an undamaged frame, in order. */
export function recordsOf(frame: Frame): EventRecord[] {
  const reader = new FieldReader(frame.bytes, HEADER_BYTES);
  return Array.from({ length: frame.count }, () => {
    const key = reader.text();
    const headers: Record<string, string> = {};
    for (let left = reader.uint32(); left > 0; left -= 1) {
      const name = reader.text();
      headers[name] = reader.text();
    }
    return { key, headers, value: reader.bytes() };
  });
}

function recordBytes({ key, headers, value }: EventRecord): number {
  let length = 12 + Buffer.byteLength(key) + value.length;
  for (const [name, text] of Object.entries(headers))
    length += 8 + Buffer.byteLength(name) + Buffer.byteLength(text);
  return length;
}

function writeRecord(bytes: Buffer, start: number, { key, headers, value }: EventRecord): number {
  let at = writeText(bytes, start, key);
  const entries = Object.entries(headers);
  at = bytes.writeUInt32BE(entries.length, at);
  for (const [name, text] of entries) at = writeText(bytes, writeText(bytes, at, name), text);
  at = bytes.writeUInt32BE(value.length, at);
  return at + value.copy(bytes, at);
}

function writeText(bytes: Buffer, at: number, text: string): number {
  const length = bytes.write(text, at + 4);
  bytes.writeUInt32BE(length, at);
  return at + 4 + length;
}

class FieldReader {
  constructor(
    private readonly source: Buffer,
    private at: number,
  ) {}

  uint32(): number {
    this.at += 4;
    return this.source.readUInt32BE(this.at - 4);
  }

  bytes(): Buffer {
    const length = this.uint32();
    this.at += length;
    return this.source.subarray(this.at - length, this.at);
  }

  text(): string {
    return this.bytes().toString('utf8');
  }
}
