import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { createPool } from '@vendo/runtime';
import { createTestDatabase, type TestDatabase } from '@vendo/testing';
import type pg from 'pg';
import { bigints, booleans, ints, texts, uuids } from './binary-array.js';
import { DataError } from './journal.js';

let database: TestDatabase;
let pool: pg.Pool;

beforeAll(async () => {
  database = await createTestDatabase();
  pool = createPool(database.url, { app: 'spec' });
});

afterAll(async () => {
  await pool.end();
  await database.drop();
});

const UUID = '0190a3f0-0000-7000-8000-00ffffffff01';

describe('a column in binary', () => {
  it.each([
    ['uuid', uuids([UUID, null, UUID]), [UUID, null, UUID]],
    ['int', ints([0, -1, 2_147_483_647, null]), ['0', '-1', '2147483647', null]],
    [
      'bigint',
      bigints([0, -1, 2n ** 63n - 1n, -(2n ** 63n), Number.MAX_SAFE_INTEGER, null]),
      ['0', '-1', '9223372036854775807', '-9223372036854775808', '9007199254740991', null],
    ],
    ['boolean', booleans([true, false, null]), ['true', 'false', null]],
    [
      'text',
      texts(['', 'a "quoted", {braced} \\ ü 😀', null, 'NULL']),
      ['', 'a "quoted", {braced} \\ ü 😀', null, 'NULL'],
    ],
    ['text', texts([]), []],
    ['uuid', uuids([]), []],
  ])('of %s is read by Postgres as it was given', async (type, column, expected) => {
    const { rows } = await pool.query(
      `select $1::${type}[]::text[] as read, cardinality($1::${type}[]) as length`,
      [column],
    );
    expect(rows[0]).toEqual({ read: expected, length: expected.length });
  });

  it.each([
    ['a short id', () => uuids(['0190a3f0'])],
    ['an id with a stray letter', () => uuids([UUID.replace('ff01', 'ffg1')])],
    ['an id that is too long', () => uuids([`${UUID}00`])],
    ['a fraction', () => ints([1.5])],
    ['an int that is too large', () => ints([2 ** 31])],
    ['a bigint that is too large', () => bigints([2n ** 63n])],
    ['a number that has lost digits', () => bigints([2 ** 53])],
  ])('refuses %s', (_, encode) => {
    expect(encode).toThrow(DataError);
  });
});
