import { describe, expect, it } from '@jest/globals';
import { decide, MisdirectedError, UnchargedError } from './decide.js';
import { evolve } from './evolve.js';
import { emptyWallet, MAX_HOLD_AGE_MS, type Wallet, type WalletCommand, windowUse } from './wallet.js';

const TENANT = 'tenant-a';
const NOW = Date.parse('2026-11-30T23:59:00.000Z');
const TOMORROW = NOW + 120_000;

const grant = (amount: bigint, key = 'k', more = {}): WalletCommand => ({
  type: 'grant',
  tenantId: TENANT,
  entryId: 'entry',
  amount,
  source: 'test',
  note: null,
  idempotencyKey: key,
  ...more,
});
const reserve = (amount: bigint, holdId = 'h1', more = {}): WalletCommand => ({
  type: 'reserve',
  tenantId: TENANT,
  holdId,
  subject: 'app',
  amount,
  spoolId: 'spool',
  rateVersion: 7,
  ...more,
});
const settle = (cost: bigint, holdId = 'h1', more = {}): WalletCommand => ({
  type: 'settle',
  tenantId: TENANT,
  holdId,
  subject: 'app',
  cost,
  outcome: 'completed',
  ...more,
});
const expire = (reason: 'spool_silent' | 'max_age' = 'spool_silent', holdId = 'h1'): WalletCommand => ({
  type: 'expire',
  tenantId: TENANT,
  holdId,
  reason,
});
const correct = (cost: bigint, n = 1, holdId = 'h1'): WalletCommand => ({
  type: 'correct',
  holdId,
  tenantId: TENANT,
  n,
  cost,
  reason: 'refunded',
});
const caps = (daily: bigint | null | undefined, monthly?: bigint | null): WalletCommand => ({
  type: 'set-caps',
  tenantId: TENANT,
  subject: 'app',
  daily,
  monthly,
});

function after(commands: readonly WalletCommand[], nowMs = NOW): Wallet {
  const wallet = emptyWallet(TENANT);
  for (const command of commands)
    for (const event of decide(wallet, command, nowMs).events) evolve(wallet, event);
  return wallet;
}

/** An outcome in short: events by name and what matters of them, or the refusal's code. */
function told(wallet: Wallet, command: WalletCommand, nowMs = NOW): string[] {
  const { events, refusal } = decide(wallet, command, nowMs);
  const names = events.map(({ type, data }) => {
    if (type === 'HoldEnded.v1') return `${data.how} ${data.cost_micros} of ${data.amount_micros}`;
    if (type === 'CapWarned.v1' || type === 'CapTripped.v1')
      return `${type} ${data.period} ${data.used_micros}`;
    if (type === 'Adjusted.v1') return `${type} ${data.n} ${data.cost_micros}`;
    return type;
  });
  return refusal ? [...names, refusal.code] : names;
}

const CHARGED = [grant(100n), reserve(60n), settle(60n)];

describe('decide', () => {
  it.each<[string, WalletCommand[], WalletCommand, string[]]>([
    ['holds all that is available', [grant(100n)], reserve(100n), ['HoldOpened.v1']],
    ['refuses one micro more', [grant(100n)], reserve(101n), ['balance_exhausted']],
    ['counts what is held already', [grant(100n), reserve(60n)], reserve(41n, 'h2'), ['balance_exhausted']],
    ['refuses a hold of nothing where there is no credit at all', [], reserve(0n), ['balance_exhausted']],
    [
      'gives a hold of nothing on credit that is all held',
      [grant(9n), reserve(9n)],
      reserve(0n, 'h2'),
      ['HoldOpened.v1'],
    ],
    ['answers a retry with nothing', [grant(100n), reserve(60n)], reserve(60n), []],
    ['refuses a retry with another amount', [grant(100n), reserve(60n)], reserve(61n), ['hold_conflict']],
    [
      'refuses a retry with another rate version',
      [grant(100n), reserve(60n)],
      reserve(60n, 'h1', { rateVersion: 8 }),
      ['hold_conflict'],
    ],
    [
      'refuses a retry for another subject',
      [grant(100n), reserve(60n)],
      reserve(60n, 'h1', { subject: 'key' }),
      ['hold_conflict'],
    ],
    [
      'never opens an ended hold again',
      [grant(100n), reserve(60n), settle(1n)],
      reserve(60n),
      ['hold_ended'],
    ],
    ['settles', [grant(100n), reserve(60n)], settle(15n), ['settled 15 of 60']],
    ['releases at cost zero', [grant(100n), reserve(60n)], settle(0n), ['released 0 of 60']],
    ['charges over the hold in full', [grant(100n), reserve(60n)], settle(500n), ['settled 500 of 60']],
    ['drops a second settlement', [grant(100n), reserve(60n), settle(15n)], settle(15n), []],
    ['charges after expiry, late', [grant(100n), reserve(60n), expire()], settle(15n), ['late 15 of 0']],
    ['charges after a release, late', [grant(100n), reserve(60n), settle(0n)], settle(15n), ['late 15 of 0']],
    ['charges late once', [grant(100n), reserve(60n), expire(), settle(15n)], settle(15n), []],
    ['drops a zero end of an ended hold', [grant(100n), reserve(60n), expire()], settle(0n), []],
    [
      'does not use up late on a zero end',
      [grant(100n), reserve(60n), expire(), settle(0n)],
      settle(15n),
      ['late 15 of 0'],
    ],
    ['charges a hold that was never seen', [], settle(15n), ['late 15 of 0']],
    ['records the end of an unknown hold', [], settle(0n), ['released 0 of 0']],
    ['refuses a reserve after an unknown end', [grant(100n), settle(0n)], reserve(60n), ['hold_ended']],
    ['expires', [grant(100n), reserve(60n)], expire(), ['expired 0 of 60']],
    ['expires once', [grant(100n), reserve(60n), expire()], expire(), []],
    ['does not expire what has ended', [grant(100n), reserve(60n), settle(1n)], expire(), []],
    ['does not expire a young hold by age', [grant(100n), reserve(60n)], expire('max_age'), []],
    ['gives a charge back', [...CHARGED], correct(-60n), ['Adjusted.v1 1 -60']],
    ['corrects once per number', [...CHARGED, correct(-20n)], correct(-20n), []],
    [
      'corrects again under another number',
      [...CHARGED, correct(-20n)],
      correct(-40n, 2),
      ['Adjusted.v1 2 -40'],
    ],
    [
      'corrects what was charged late',
      [grant(100n), reserve(60n), expire(), settle(5n)],
      correct(-5n),
      ['Adjusted.v1 1 -5'],
    ],
    [
      'warns when a correction goes over',
      [grant(200n), caps(100n), reserve(60n), settle(60n)],
      correct(30n),
      ['Adjusted.v1 1 30', 'CapWarned.v1 daily 90'],
    ],
    ['grants once per key', [grant(100n)], grant(100n, 'k', { entryId: 'other' }), []],
    ['refuses a key with another amount', [grant(100n)], grant(101n), ['idempotency_conflict']],
    [
      'refuses a key with another note',
      [grant(100n)],
      grant(100n, 'k', { note: 'x' }),
      ['idempotency_conflict'],
    ],
    ['sets caps', [], caps(10n, 20n), ['CapSet.v1']],
    ['says nothing when caps are as they were', [caps(10n, 20n)], caps(10n), []],
    [
      'refuses daily before monthly',
      [grant(1n), caps(10n, 10n)],
      reserve(11n),
      ['CapTripped.v1 daily 0', 'spend_cap_daily'],
    ],
    [
      'refuses caps before balance',
      [caps(null, 10n)],
      reserve(11n),
      ['CapTripped.v1 monthly 0', 'spend_cap_monthly'],
    ],
    ['tells of a cap refusal once', [caps(10n), reserve(11n)], reserve(12n, 'h2'), ['spend_cap_daily']],
    ['does not warn at 79 %', [grant(200n), caps(100n)], reserve(79n), ['HoldOpened.v1']],
    ['warns at 80 %', [grant(200n), caps(100n)], reserve(80n), ['HoldOpened.v1', 'CapWarned.v1 daily 80']],
    ['warns once', [grant(200n), caps(100n), reserve(80n)], reserve(5n, 'h2'), ['HoldOpened.v1']],
    [
      'warns when a settlement goes over',
      [grant(200n), caps(100n), reserve(10n)],
      settle(95n),
      ['settled 95 of 10', 'CapWarned.v1 daily 95'],
    ],
    [
      'warns when a cap comes down',
      [grant(200n), reserve(50n)],
      caps(60n),
      ['CapSet.v1', 'CapWarned.v1 daily 50'],
    ],
    [
      'allows nothing under a cap of zero',
      [grant(9n), caps(0n)],
      reserve(1n),
      ['CapTripped.v1 daily 0', 'spend_cap_daily'],
    ],
    [
      'caps one subject only',
      [grant(99n), caps(1n)],
      reserve(50n, 'h1', { subject: 'other' }),
      ['HoldOpened.v1'],
    ],
  ])('%s', (_, given, when, then) => expect(told(after(given), when)).toEqual(then));

  it('expires by age at two hours', () => {
    const wallet = after([grant(100n), reserve(60n)]);
    expect(told(wallet, expire('max_age'), NOW + MAX_HOLD_AGE_MS - 1)).toEqual([]);
    expect(told(wallet, expire('max_age'), NOW + MAX_HOLD_AGE_MS)).toEqual(['expired 0 of 60']);
  });

  it('corrects in the windows of the hold, not in those of the day it comes', () => {
    const wallet = after(CHARGED);
    for (const event of decide(wallet, correct(-20n), TOMORROW).events) evolve(wallet, event);
    expect(wallet.balance).toBe(60n);
    expect(windowUse(wallet, 'app', 'daily', '2026-11-30').spent).toBe(40n);
    expect(windowUse(wallet, 'app', 'daily', '2026-12-01').spent).toBe(0n);
  });

  it.each<[string, WalletCommand[]]>([
    ['unknown', []],
    ['open', [grant(100n), reserve(60n)]],
    ['released', [grant(100n), reserve(60n), settle(0n)]],
    ['expired', [grant(100n), reserve(60n), expire()]],
  ])('has a correction wait for the charge of a hold that is %s', (_, given) =>
    expect(() => decide(after(given), correct(-1n), NOW)).toThrow(UnchargedError),
  );

  it('gives back no more than was charged, earlier corrections counted', () => {
    expect(() => decide(after(CHARGED), correct(-61n), NOW)).toThrow(MisdirectedError);
    expect(() => decide(after([...CHARGED, correct(-1n)]), correct(-60n, 2), NOW)).toThrow(MisdirectedError);
  });

  it('keeps the hold of a job beyond its spool’s silence and the age of others, to its own', () => {
    const wallet = after([grant(100n), reserve(60n)]);
    const hold = wallet.holds.get('h1');
    if (hold) wallet.holds.set('h1', { ...hold, job: { ttlMs: 2 * MAX_HOLD_AGE_MS } });
    expect(told(wallet, expire(), NOW)).toEqual([]);
    expect(told(wallet, expire('max_age'), NOW + 2 * MAX_HOLD_AGE_MS - 1)).toEqual([]);
    expect(told(wallet, expire('max_age'), NOW + 2 * MAX_HOLD_AGE_MS)).toEqual(['expired 0 of 60']);
  });

  it('says how long a cap holds, in seconds to the end of its window', () => {
    const daily = decide(after([caps(1n)]), reserve(2n), NOW);
    expect(daily.refusal).toEqual({ code: 'spend_cap_daily', retryAfter: 60 });
  });

  it('settles into the windows of the hold, not into those of the day it ends', () => {
    const wallet = after([grant(100n), reserve(60n)]);
    for (const event of decide(wallet, settle(15n), TOMORROW).events) evolve(wallet, event);
    expect(windowUse(wallet, 'app', 'daily', '2026-11-30')).toMatchObject({ spent: 15n, held: 0n });
    expect(windowUse(wallet, 'app', 'monthly', '2026-11')).toMatchObject({ spent: 15n, held: 0n });
    expect(windowUse(wallet, 'app', 'daily', '2026-12-01')).toMatchObject({ spent: 0n, held: 0n });
  });

  it('gives a new window its whole cap', () => {
    const wallet = after([grant(100n), caps(10n), reserve(10n)]);
    expect(told(wallet, reserve(10n, 'h2'), NOW)).toEqual(['CapTripped.v1 daily 10', 'spend_cap_daily']);
    expect(told(wallet, reserve(10n, 'h2'), TOMORROW)).toEqual(['HoldOpened.v1', 'CapWarned.v1 daily 10']);
  });

  it.each<[string, WalletCommand]>([
    ['of another tenant’s hold', settle(5n)],
    ['with a negative cost', settle(-5n, 'h2')],
    ['that corrects another tenant’s hold', correct(5n)],
  ])('throws at a report %s', (_, command) => {
    const wallet = after([]);
    wallet.holds.set('h1', {
      id: 'h1',
      tenantId: 'tenant-b',
      subject: 'app',
      amount: 10n,
      windows: { daily: '2026-11-30', monthly: '2026-11' },
      spoolId: 'spool',
      rateVersion: 1,
      reservedAtMs: NOW,
      ended: null,
      late: false,
      charged: 0n,
      corrections: [],
      job: null,
    });
    expect(() => decide(wallet, command, NOW)).toThrow(MisdirectedError);
  });
});
