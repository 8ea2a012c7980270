import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { eventNamed, SpoolWorld, spoolError } from './memory.spool-world.js';

let world: SpoolWorld;
beforeEach(() => {
  world = new SpoolWorld();
});
afterEach(() => world.end());

/** A disk whose syncs end when they are told to. */
function heldSyncs(): { begun: number; end(failure?: Error): void } {
  const waiting: PromiseWithResolvers<void>[] = [];
  const held = {
    begun: 0,
    end(failure?: Error) {
      for (const sync of waiting.splice(0)) failure ? sync.reject(failure) : sync.resolve();
    },
  };
  world.disk.syncFault = () => {
    held.begun += 1;
    const sync = Promise.withResolvers<void>();
    waiting.push(sync);
    return sync.promise;
  };
  return held;
}

const isSettled = async (promise: Promise<void> | null): Promise<boolean> => {
  let settled = false;
  void promise?.then(() => {
    settled = true;
  });
  await new Promise((resolve) => setTimeout(resolve, 5));
  return settled;
};

describe('VENDO_SPOOL_SYNC', () => {
  it('no: there is nothing to wait for', () => {
    const spool = world.openSpool();
    spool.append([eventNamed('a')]);
    expect(spool.synced()).toBeNull();
  });

  it('wait: resolves when the sync of its frame has ended, and not with one that began before', async () => {
    const syncs = heldSyncs();
    const spool = world.openSpool({ sync: 'wait' });
    spool.append([eventNamed('a')]);
    const first = spool.synced();
    spool.append([eventNamed('b')]);
    const second = spool.synced();
    syncs.end();
    await first;
    expect(spool.beatSent()).toBe(1);
    expect(await isSettled(second)).toBe(false);
    syncs.end();
    await second;
    expect(spool.synced()).toBeNull();
  });

  it('wait: those who come while a sync runs share the next one', async () => {
    const syncs = heldSyncs();
    const spool = world.openSpool({ sync: 'wait' });
    const waiting = Array.from({ length: 20 }, (_, n) => {
      spool.append([eventNamed(`${n}`)]);
      return spool.synced();
    });
    syncs.end();
    await waiting[0];
    await world.until(() => syncs.begun === 2, 'the next sync');
    syncs.end();
    await Promise.all(waiting);
    expect(syncs.begun).toBe(2);
  });

  it('wait: a close does not release those whose sync it finds waiting before that has ended', async () => {
    const syncs = heldSyncs();
    const spool = world.openSpool({ sync: 'wait' });
    spool.append([eventNamed('a')]);
    const first = spool.synced();
    spool.append([eventNamed('b')]);
    const second = spool.synced();
    const closed = spool.close();
    syncs.end();
    await first;
    expect(await isSettled(second)).toBe(false);
    syncs.end();
    await Promise.all([second, closed]);
  });

  it('wait: a failed sync releases those who wait, and new calls are refused until one succeeds', async () => {
    const syncs = heldSyncs();
    const spool = world.openSpool({ sync: 'wait' });
    spool.append([eventNamed('a')]);
    const first = spool.synced();
    spool.append([eventNamed('b')]);
    const second = spool.synced();
    syncs.end(spoolError('EIO'));
    await Promise.all([first, second]);
    expect(spool.refusal()).toBe('the spool could not be synced to the disk');
    expect(spool.synced()).toBeNull();
    world.disk.syncFault = null;
    await world.until(() => spool.refusal() === null, 'synced again');
  });

  it('wait: what a failed sync had is synced again before calls are admitted', async () => {
    const syncs = heldSyncs();
    const spool = world.openSpool({ sync: 'wait' });
    spool.append([eventNamed('a')]);
    const synced = spool.synced();
    syncs.end(spoolError('EIO'));
    await synced;
    let again = 0;
    world.disk.syncFault = async () => {
      again += 1;
    };
    await world.until(() => spool.refusal() === null, 'synced again');
    expect(again).toBe(1);
  });

  it('wait: a disk that is stuck holds nobody for longer than 2 s, and new calls are refused until it goes on', async () => {
    const syncs = heldSyncs();
    const spool = world.openSpool({ sync: 'wait' });
    spool.append([eventNamed('a')]);
    const startedMs = performance.now();
    await spool.synced();
    expect(performance.now() - startedMs).toBeGreaterThan(1_900);
    expect(spool.refusal()).toBe('the spool could not be synced to the disk');
    world.disk.syncFault = null;
    syncs.end();
    await world.until(() => spool.refusal() === null, 'synced again');
  });
});
