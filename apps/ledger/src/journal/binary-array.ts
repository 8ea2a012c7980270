import { DataError } from './journal.js';

/*
 * Columns of a batch as Postgres arrays in binary: neither side escapes or parses text, which was a fifth of the
 * session's work. Layout: dimensions, has-nulls, element type, length, lower bound; then each element behind its length.
 * Source: array_recv in src/backend/utils/adt/arrayfuncs.c; the type numbers are pg_type's.
 */
const HEADER_BYTES = 20;
const NULL_LENGTH = -1;

type Column<Value> = (values: readonly (Value | null)[]) => Buffer;

/** Throws DataError for what is no uuid. */
export const uuids: Column<string> = fixedSize(2950, 16, (into, uuid, at) => {
  const digits = uuid.replaceAll('-', '');
  if (digits.length !== 32 || into.write(digits, at, 16, 'hex') !== 16)
    throw new DataError('an id is no uuid');
});

/** Throws DataError for a number that is no integer of 32 bits. */
export const ints: Column<number> = fixedSize(23, 4, (into, value, at) => {
  if ((value | 0) !== value) throw new DataError(`${value} is no int`);
  into.writeInt32BE(value, at);
});

/** Throws DataError for a number that is no integer of 64 bits. */
export const bigints: Column<bigint | number> = fixedSize(20, 8, (into, value, at) => {
  if (typeof value === 'number' && !Number.isSafeInteger(value)) throw new DataError(`${value} is no bigint`);
  const exact = BigInt(value);
  if (BigInt.asIntN(64, exact) !== exact) throw new DataError(`${exact} is no bigint`);
  into.writeBigInt64BE(exact, at);
});

export const booleans: Column<boolean> = fixedSize(16, 1, (into, value, at) => {
  into[at] = value ? 1 : 0;
});

/** What is no text to Postgres (a NUL) it refuses itself. */
export const texts: Column<string> = (values) => {
  let size = 0;
  for (const value of values) if (value !== null) size += Buffer.byteLength(value);
  const array = begin(25, values, size);
  let at = HEADER_BYTES;
  for (const value of values) {
    const length = value === null ? NULL_LENGTH : array.write(value, at + 4);
    array.writeInt32BE(length, at);
    at += 4 + Math.max(0, length);
  }
  return array;
};

function fixedSize<Value>(
  type: number,
  size: number,
  write: (into: Buffer, value: Value, at: number) => void,
): Column<Value> {
  return (values) => {
    let given = 0;
    for (const value of values) if (value !== null) given += 1;
    const array = begin(type, values, given * size);
    let at = HEADER_BYTES;
    for (const value of values) {
      array.writeInt32BE(value === null ? NULL_LENGTH : size, at);
      if (value !== null) write(array, value, at + 4);
      at += value === null ? 4 : 4 + size;
    }
    return array;
  };
}

function begin(type: number, values: readonly unknown[], bytes: number): Buffer {
  const array = Buffer.allocUnsafe(HEADER_BYTES + 4 * values.length + bytes);
  array.writeInt32BE(1, 0);
  array.writeInt32BE(values.includes(null) ? 1 : 0, 4);
  array.writeInt32BE(type, 8);
  array.writeInt32BE(values.length, 12);
  array.writeInt32BE(1, 16);
  return array;
}
