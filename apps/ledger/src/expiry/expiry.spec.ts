import { beforeEach, describe, expect, it } from '@jest/globals';
import { Clock, createLogger } from '@vendo/runtime';
import type { Hold, WalletCommand } from '../wallet/wallet.js';
import type { Writer } from '../writer/writer.js';
import { Expiry } from './expiry.js';
import { SpoolBeats } from './spool-beats.js';
import type { SpoolRows } from './spool-rows.js';

class HandClock extends Clock {
  ms = 0;
  wallMs(): number {
    return this.ms;
  }
  monotonicMs(): number {
    return this.ms;
  }
  sleep(): Promise<void> {
    return Promise.resolve();
  }
}

const hold = (id: string, spoolId: string): Hold => ({
  id,
  tenantId: 't',
  subject: 's',
  amount: 1n,
  windows: { daily: '1970-01-01', monthly: '1970-01' },
  spoolId,
  rateVersion: 1,
  reservedAtMs: 0,
  ended: null,
  late: false,
  charged: 0n,
  corrections: [],
  job: null,
});

let clock: HandClock;
let beats: SpoolBeats;
let expiry: Expiry;
let open: Map<string, Hold>;
let takenAtMs: number;
/** What happens to the process between the look at one hold's lease and at its spool. */
let stopAtHold: () => void;

beforeEach(() => {
  clock = new HandClock();
  const unused = {} as unknown as SpoolRows;
  beats = new SpoolBeats(clock, unused);
  open = new Map();
  takenAtMs = 0;
  stopAtHold = () => undefined;
  const writer = {
    *openHolds() {
      for (const hold of [...open.values()]) {
        stopAtHold();
        yield { hold, watchedSinceMs: takenAtMs };
      }
    },
    ledgerNowMs: () => clock.ms,
    submitAll: async (commands: WalletCommand[]) => {
      for (const command of commands) if ('holdId' in command) open.delete(command.holdId);
      return [];
    },
  } as unknown as Writer;
  expiry = new Expiry(writer, beats, clock, createLogger('spec', 'silent'), 60_000);
});

/** Lets the time go by, a tick a second; `alive` beat on. */
async function pass(seconds: number, alive: string[] = []): Promise<void> {
  for (let second = 0; second < seconds; second++) {
    clock.ms += 1_000;
    for (const id of alive) beats.heard({ id, host: 'h' });
    await expiry.tick();
  }
}

describe('expiry', () => {
  it('leaves a job to its own time, whatever its spool does', async () => {
    const job = { ...hold('h1', 'dead'), job: { ttlMs: 100_000 } };
    open = new Map([[job.id, job]]);
    await pass(99);
    expect([...open.keys()]).toEqual(['h1']);
    await pass(1);
    expect([...open.keys()]).toEqual([]);
  });

  it('ends the holds of a spool that has been silent for 60 s, and no others', async () => {
    open = new Map([hold('h1', 'dead'), hold('h2', 'alive')].map((one) => [one.id, one]));
    beats.heard({ id: 'dead', host: 'h' });
    await pass(60, ['alive']);
    expect([...open.keys()]).toEqual(['h1', 'h2']);
    await pass(1, ['alive']);
    expect([...open.keys()]).toEqual(['h2']);
  });

  it('ends a hold of a living spool at two hours', async () => {
    open = new Map([['h1', hold('h1', 'alive')]]);
    await pass(7_199, ['alive']);
    expect(open.size).toBe(1);
    await pass(1, ['alive']);
    expect(open.size).toBe(0);
  });

  it.each([
    ['a break of the process', 90_000],
    ['a break of just over three seconds', 3_001],
  ])('counts nobody’s silence across %s', async (_, breakMs) => {
    open = new Map([['h1', hold('h1', 'spool')]]);
    await pass(50);
    clock.ms += breakMs;
    await expiry.tick();
    await pass(59);
    expect(open.size).toBe(1);
    await pass(2);
    expect(open.size).toBe(0);
  });

  it('counts nobody’s silence across a break in the middle of its look', async () => {
    open = new Map([['h1', hold('h1', 'alive')]]);
    await pass(50, ['alive']);
    stopAtHold = () => {
      clock.ms += 90_000;
      stopAtHold = () => undefined;
    };
    await pass(2);
    expect(open.size).toBe(1);
  });

  it('counts silence anew from the taking of the shard', async () => {
    open = new Map([['h1', hold('h1', 'spool')]]);
    beats.heard({ id: 'spool', host: 'h' });
    await pass(50);
    takenAtMs = clock.ms;
    await pass(60);
    expect(open.size).toBe(1);
    await pass(1);
    expect(open.size).toBe(0);
  });
});
