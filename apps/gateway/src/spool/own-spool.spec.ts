import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { recordsOf } from './frame.js';
import { eventNamed, SpoolWorld, spoolError } from './memory.spool-world.js';
import { OwnSpool } from './own-spool.js';
import type { WrittenSpool } from './written-spool.js';

let world: SpoolWorld;
beforeEach(() => {
  world = new SpoolWorld();
});
afterEach(() => world.end());

function names(spool: WrittenSpool): (string | undefined)[] {
  return spool.unproven().flatMap((frame) => recordsOf(frame).map(({ headers }) => headers.ce_id));
}

describe('the own spool, adopted', () => {
  it.each<[string, number, string[]]>([
    ['every frame when no beat was good', 0, ['a', 'b', 'c']],
    ['the frames since the last good beat was sent', 1, ['b', 'c']],
    ['nothing that was on the disk by then', 3, []],
  ])('writes again %s', async (_, onDiskAtBeat, expected) => {
    const own = new OwnSpool(() => world.openSpool());
    for (const name of ['a', 'b', 'c']) own.append([eventNamed(name)]);
    own.writing.beatIsGood(onDiskAtBeat);
    const left = own.writing;
    own.move();
    expect(own.ref).not.toEqual(left.ref);
    expect(own.hasLeft(left.id)).toBe(true);
    expect(names(own.writing)).toEqual(expected);
    own.append([eventNamed('next')]);
    expect(own.writing.unproven().map(({ first }) => first)).toEqual(
      [...expected, 'next'].map((_, n) => n + 1),
    );
  });

  it('counts as read by an adopter only what was on the disk when the good beat was sent', async () => {
    const own = new OwnSpool(() => world.openSpool());
    own.append([eventNamed('a')]);
    await world.until(() => own.writing.beatSent() === 1, 'synced');
    world.disk.syncFault = () => new Promise(() => undefined);
    own.append([eventNamed('b')]);
    own.writing.beatIsGood(own.writing.beatSent());
    expect(names(own.writing)).toEqual(['b']);
    world.disk.syncFault = null;
  });

  it('takes along what could not be written', () => {
    const own = new OwnSpool(() => world.openSpool());
    world.disk.fault = () => {
      throw spoolError('ENOSPC');
    };
    own.append([eventNamed('a')]);
    own.append([eventNamed('b')]);
    world.disk.fault = null;
    own.move();
    expect(names(own.writing)).toEqual(['a', 'b']);
    expect(own.refusal()).toBeNull();
  });

  it('refuses new calls while no new one can be opened', () => {
    let fails = false;
    const own = new OwnSpool(() => {
      if (fails) throw spoolError('ENOSPC');
      return world.openSpool();
    });
    const { ref } = own;
    own.append([eventNamed('a')]);
    fails = true;
    expect(() => own.move()).toThrow('ENOSPC');
    expect(own.ref).toEqual(ref);
    expect(own.refusal()).toBe('the spool was adopted and no new one could be opened');
    fails = false;
    own.move();
    expect(own.refusal()).toBeNull();
    expect(names(own.writing)).toEqual(['a']);
  });

  it('refuses new calls when beats are not answered for so long that too much would have to be written again', () => {
    const own = new OwnSpool(() => world.openSpool());
    const events = Array.from({ length: 4_000 }, (_, n) => eventNamed(`${n}`));
    for (let frames = 0; own.refusal() === null; frames += 1) {
      expect(frames).toBeLessThan(50);
      own.append(events);
    }
    expect(own.refusal()).toBe('the ledger has not answered beats for too long');
    own.writing.beatIsGood(1_000);
    expect(own.refusal()).toBeNull();
  });
});
