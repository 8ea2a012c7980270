import { randomUUID } from 'node:crypto';
import { beforeEach, describe, expect, it } from '@jest/globals';
import { operatorStand, refused, SPOOL } from './operator-stand.contract.js';

const { ledger, call, audit, rows } = operatorStand();

describe('write-off of a spool', () => {
  let spool: string;
  beforeEach(() => {
    spool = randomUUID();
    ledger.spoolsToWriteOff.set(spool, 'silent');
  });

  const writeOff = (id: string, body: object = { note: 'the disk is gone' }) =>
    call('POST', `/spools/${id}/write-off`, body);

  it('answers with the spool, and the audit has the question before the outcome', async () => {
    const state = {
      ...SPOOL,
      id: spool,
      expired_micros: 100,
      written_off_at: '2026-01-01T00:00:00.000Z',
      written_off_note: 'the disk is gone',
    };
    expect(await writeOff(spool.toUpperCase())).toEqual({ status: 200, body: { spool: state } });
    expect(await audit(spool)).toEqual([
      { action: 'spool.write_off_asked', before: null, after: { note: 'the disk is gone' } },
      { action: 'spool.written_off', before: null, after: state },
    ]);
  });

  it.each([
    ['unknown', 404, 'not_found'],
    ['beating', 409, 'spool_in_use'],
  ] as const)(
    'of one that is %s is refused, and the audit has the question alone',
    async (how, status, code) => {
      ledger.spoolsToWriteOff.set(spool, how);
      expect(await writeOff(spool)).toEqual(refused(status, code));
      expect(await audit(spool)).toMatchObject([{ action: 'spool.write_off_asked' }]);
    },
  );

  it('is not known to have happened while the ledger is away', async () => {
    ledger.away = true;
    expect(await writeOff(spool)).toEqual(refused(503, 'billing_unavailable'));
    expect(await audit(spool)).toMatchObject([{ action: 'spool.write_off_asked' }]);
  });

  it.each([{}, { note: ' ' }, { note: 'x'.repeat(501) }, { note: 'a\0b' }, { note: 'x', who: 'me' }])(
    'with %j is refused and asks nothing',
    async (body) => {
      expect(await writeOff(spool, body)).toEqual(refused(400, 'invalid_request'));
      expect(await audit(spool)).toEqual([]);
    },
  );

  it('knows no other kind of id', async () =>
    expect(await writeOff('spool-1')).toEqual(refused(404, 'not_found')));
});

describe('replay of a parked record', () => {
  const replay = (id: string) => call('POST', `/parked/${id}/replay`);

  it('answers with its id, and the audit has the question before the outcome', async () => {
    expect(await replay('ledger-12')).toEqual({ status: 200, body: { replayed: 'ledger-12' } });
    expect(ledger.replayed).toEqual(['ledger-12']);
    expect(await audit('ledger-12')).toEqual([
      { action: 'parked.replay_asked', before: null, after: null },
      { action: 'parked.replayed', before: null, after: null },
    ]);
  });

  it('says why a record stays parked, and so does the audit', async () => {
    ledger.unreadable = 'ledger-13 stays parked: negative cost';
    expect(await replay('ledger-13')).toEqual(refused(409, 'still_parked', ledger.unreadable));
    expect(await audit('ledger-13')).toEqual([
      { action: 'parked.replay_asked', before: null, after: null },
      { action: 'parked.stayed', before: null, after: { reason: ledger.unreadable } },
    ]);
  });

  it('of a projection asks its projector, and the audit has the question', async () => {
    const [row] = await rows(
      `insert into read.parked (projection, generation, topic, partition, record_offset, tenant_id, headers, value, reason)
       values ('usage', 1, 'gateway.events', 0, 5, $1, '{}', '', 'bad') returning id`,
      [randomUUID()],
    );
    const id = String(row?.id);
    expect(await replay(`projection-${id}`)).toEqual({ status: 200, body: { replayed: `projection-${id}` } });
    expect(await rows('select replay_requested_at from read.parked where id = $1', [id])).toEqual([
      { replay_requested_at: expect.any(Date) },
    ]);
    expect(await audit(`projection-${id}`)).toMatchObject([{ action: 'parked.replay_asked' }]);
    expect(ledger.replayed).not.toContain(`projection-${id}`);
  });

  it('knows no record of a projection that is not parked', async () =>
    expect(await replay('projection-987654321')).toEqual(refused(404, 'not_found')));

  it.each(['12', 'ledger', 'projection-x', 'ledgers-1'])('knows no record %s', async (id) => {
    expect(await replay(id)).toEqual(refused(404, 'not_found'));
    expect(await audit(id)).toEqual([]);
  });
});
