import { describe, it } from '@jest/globals';
import fc from 'fast-check';
import { type Decision, decide } from './decide.js';
import { evolve } from './evolve.js';
import {
  capsOf,
  emptyWallet,
  isOpen,
  type Wallet,
  type WalletCommand,
  type WalletEvent,
  windowUse,
} from './wallet.js';

const NOW = Date.parse('2026-11-21T10:00:00.000Z');
const CREDIT = 1_000n;
const HOLDS = 12;

/** Up to 1.2 times of what there is, so that a ledger that checks nothing is found out. */
const amount = fc.bigInt({ min: 0n, max: 1_200n });
const holdId = fc.integer({ min: 1, max: HOLDS }).map((n) => `h${n}`);
const subject = fc.constantFrom('app-a', 'app-b');

const reserve = fc.record({
  type: fc.constant('reserve' as const),
  holdId,
  tenantId: fc.constant('t'),
  subject,
  amount,
  spoolId: fc.constant('s'),
  rateVersion: fc.constant(1),
});
const settle = fc.record({
  type: fc.constant('settle' as const),
  holdId,
  tenantId: fc.constant('t'),
  subject,
  cost: amount,
  outcome: fc.constant('completed'),
});
const expire = fc.record({
  type: fc.constant('expire' as const),
  holdId,
  tenantId: fc.constant('t'),
  reason: fc.constant('spool_silent' as const),
});
const correct = fc.record({
  type: fc.constant('correct' as const),
  holdId,
  tenantId: fc.constant('t'),
  n: fc.integer({ min: 1, max: 3 }),
  cost: fc.bigInt({ min: -1_200n, max: 300n }),
  reason: fc.constant('refunded'),
});
const grant = fc.record({
  type: fc.constant('grant' as const),
  tenantId: fc.constant('t'),
  entryId: fc.constant('e'),
  amount: fc.bigInt({ min: -300n, max: 600n }),
  source: fc.constant('test'),
  note: fc.constant(null),
  idempotencyKey: fc.integer({ min: 1, max: 6 }).map(String),
});
const setCaps = fc.record({
  type: fc.constant('set-caps' as const),
  tenantId: fc.constant('t'),
  subject,
  daily: fc.option(amount),
  monthly: fc.option(amount),
});
/** Named once and for all by their ids. */
const named: fc.Arbitrary<WalletCommand> = fc.oneof(reserve, settle, expire, correct, grant);
const command: fc.Arbitrary<WalletCommand> = fc.oneof(
  { weight: 6, arbitrary: named },
  { weight: 1, arbitrary: setCaps },
);
const history = fc.array(command, { maxLength: 40 });

function step(wallet: Wallet, command: WalletCommand): WalletEvent[] {
  const { events } = decideOrWait(wallet, command);
  for (const event of events) evolve(wallet, event);
  return events;
}

/** A correction that cannot be posted leads to nothing. */
function decideOrWait(wallet: Wallet, command: WalletCommand): Decision {
  try {
    return decide(wallet, command, NOW);
  } catch (thrown) {
    if (command.type === 'correct') return { events: [] };
    throw thrown;
  }
}

function funded(): Wallet {
  const wallet = emptyWallet('t');
  step(wallet, {
    type: 'grant',
    tenantId: 't',
    entryId: 'e0',
    amount: CREDIT,
    source: 'test',
    note: null,
    idempotencyKey: 'first',
  });
  return wallet;
}

function postings(events: readonly WalletEvent[]): bigint {
  return events.reduce((sum, { type, data }) => {
    if (type === 'CreditGranted.v1') return sum + BigInt(data.amount_micros);
    return type === 'HoldEnded.v1' || type === 'Adjusted.v1' ? sum - BigInt(data.cost_micros) : sum;
  }, 0n);
}

describe('a wallet', () => {
  it('has nothing left to say to a repeated command, at any distance', () => {
    fc.assert(
      fc.property(history, named, history, (before, next, between) => {
        const wallet = funded();
        for (const earlier of before) step(wallet, earlier);
        const first = decideOrWait(wallet, next);
        for (const event of first.events) evolve(wallet, event);
        for (const later of between) step(wallet, later);
        // What was refused or found nothing to do may be decided anew.
        if (first.refusal || first.events.length === 0) return true;
        return decideOrWait(wallet, next).events.length === 0;
      }),
    );
  });

  it('has a balance that is the sum of its postings, and holds the sum of its open holds', () => {
    fc.assert(
      fc.property(history, (commands) => {
        const wallet = funded();
        const events = commands.flatMap((command) => step(wallet, command));
        const held = Array.from({ length: HOLDS }, (_, n) => wallet.holds.get(`h${n + 1}`))
          .filter((hold) => hold !== undefined && isOpen(hold))
          .reduce((sum, hold) => sum + (hold?.amount ?? 0n), 0n);
        return wallet.balance === CREDIT + postings(events) && wallet.held === held;
      }),
    );
  });

  it('admits nothing above the balance or a cap', () => {
    fc.assert(
      fc.property(history, (commands) => {
        const wallet = funded();
        return commands.every((command) => {
          const opened = step(wallet, command).some(({ type }) => type === 'HoldOpened.v1');
          return !opened || command.type !== 'reserve' || withinLimits(wallet, command.subject);
        });
      }),
      { numRuns: 300 },
    );
  });

  it('never spends less than nothing in a window', () => {
    fc.assert(
      fc.property(history, (commands) => {
        const wallet = funded();
        for (const command of commands) step(wallet, command);
        return ['app-a', 'app-b'].every(
          (subject) => windowUse(wallet, subject, 'daily', '2026-11-21').spent >= 0n,
        );
      }),
    );
  });

  it('ends every hold once, and charges late at most once', () => {
    fc.assert(
      fc.property(history, (commands) => {
        const wallet = funded();
        const ends = commands
          .flatMap((command) => step(wallet, command))
          .flatMap((event) => (event.type === 'HoldEnded.v1' ? [event.data] : []));
        const names = ends.map(({ hold_id, how }) => `${hold_id} ${how === 'late' ? 'late' : 'ended'}`);
        return new Set(names).size === names.length;
      }),
    );
  });
});

/** Right after an admission: nothing above the balance, nothing above either cap. */
function withinLimits(wallet: Wallet, subject: string): boolean {
  const caps = capsOf(wallet, subject);
  const day = windowUse(wallet, subject, 'daily', '2026-11-21');
  const month = windowUse(wallet, subject, 'monthly', '2026-11');
  return (
    wallet.held <= wallet.balance &&
    (caps.daily === null || day.spent + day.held <= caps.daily) &&
    (caps.monthly === null || month.spent + month.held <= caps.monthly)
  );
}
