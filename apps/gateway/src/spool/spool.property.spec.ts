import { appendFileSync, readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import type { FileSpool } from './file.spool.js';
import { eventNamed, SpoolWorld, spoolError } from './memory.spool-world.js';
import type { SpoolShipping } from './spool-shipping.js';

type Step =
  | { do: 'append'; partition: number; events: number }
  | { do: 'disk'; fault: 'none' | 'full' | 'short' }
  | { do: 'log'; fails: 'never' | 'always' | 'after' | 'partition 1' }
  | { do: 'ledger'; away: boolean }
  | { do: 'pause' }
  | { do: 'crash'; tornBytes: number };

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 12,
    arbitrary: fc.record({
      do: fc.constant('append' as const),
      partition: fc.nat(2),
      events: fc.integer({ min: 1, max: 3 }),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('disk' as const),
      fault: fc.constantFrom('none', 'none', 'full', 'short'),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('log' as const),
      fails: fc.constantFrom('never', 'always', 'after', 'partition 1'),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('ledger' as const), away: fc.boolean() }) },
  { weight: 3, arbitrary: fc.constant({ do: 'pause' as const }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('crash' as const), tornBytes: fc.nat(300) }) },
) as fc.Arbitrary<Step>;

/** What one process tried to append, by partition, and how much of it was promised. */
interface History {
  spool: FileSpool;
  tried: string[][];
  promised: number[];
}

class Run {
  readonly world = new SpoolWorld();
  readonly histories: History[] = [];
  private shipping: SpoolShipping | null = null;
  private names = 0;

  async start(): Promise<void> {
    const spool = this.world.openSpool({ segmentBytes: 2_000 });
    this.histories.push({ spool, tried: [[], [], []], promised: [0, 0, 0] });
    this.shipping = await this.world.ship(spool, 0);
  }

  async take(next: Step): Promise<void> {
    const { disk, log, ledger, clock } = this.world;
    switch (next.do) {
      case 'append':
        return this.append(next.partition, next.events);
      case 'disk':
        disk.fault = next.fault === 'none' ? null : next.fault === 'short' ? (length) => length >> 1 : full;
        return;
      case 'log':
        log.fails = (partition) =>
          next.fails === 'after'
            ? 'after'
            : next.fails === 'always' || (next.fails === 'partition 1' && partition === 1);
        return;
      case 'ledger':
        ledger.answers = !next.away;
        return;
      case 'pause':
        return clock.sleep(3);
      case 'crash':
        return this.crash(next.tornBytes);
    }
  }

  private append(partition: number, events: number): void {
    const history = this.histories.at(-1) as History;
    const names = Array.from({ length: events }, () => `${this.names++}`);
    const isPromised = history.spool.append(names.map((name) => eventNamed(name, partition)));
    const tried = history.tried[partition] as string[];
    tried.push(...names);
    if (isPromised) history.promised[partition] = tried.length;
  }

  /** Ends the process without shipping, with the beginning of one more frame at the end of its last segment. */
  private async crash(tornBytes: number): Promise<void> {
    const last = this.histories.at(-1)?.spool.segments.at(-1);
    const torn = last ? readFileSync(last.path).subarray(0, Math.min(tornBytes, last.bytes - 1)) : null;
    await this.shipping?.stop();
    try {
      if (last && torn && readFileSync(last.path).length > 0) appendFileSync(last.path, wholeFramesCut(torn));
    } catch (thrown) {
      // The spool was applied to its end and deleted itself.
      if ((thrown as NodeJS.ErrnoException).code !== 'ENOENT') throw thrown;
    }
    await this.start();
  }

  async heal(): Promise<void> {
    await this.take({ do: 'disk', fault: 'none' });
    await this.take({ do: 'log', fails: 'never' });
    await this.take({ do: 'ledger', away: false });
    await this.world.until(
      () =>
        this.histories.every((history) =>
          [0, 1, 2].every(
            (partition) => this.applied(history, partition).length >= (history.promised[partition] ?? 0),
          ),
        ),
      'everything promised is applied',
    );
  }

  applied({ spool }: History, partition: number): string[] {
    return this.world.ledger.applied
      .filter((one) => one.spool === spool.id && one.partition === partition)
      .map(({ name }) => name);
  }
}

function full(): never {
  throw spoolError('ENOSPC');
}

/** A torn write never ends with a whole frame: the copied bytes are shorter than the shortest frame. */
function wholeFramesCut(bytes: Buffer): Buffer {
  return bytes.subarray(0, 200);
}

describe('the spool, whatever happens to disk, log, ledger and process', () => {
  it('brings every promised record to the ledger exactly once and in order', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 60 }), async (steps) => {
        const run = new Run();
        try {
          await run.start();
          for (const next of steps) await run.take(next);
          await run.heal();
          for (const history of run.histories)
            for (const [partition, tried] of history.tried.entries()) {
              const applied = run.applied(history, partition);
              expect(applied).toEqual(tried.slice(0, applied.length));
            }
          expect(run.world.log.overlaps).toBe(0);
        } finally {
          await run.world.end();
        }
      }),
      { numRuns: 60 },
    );
  }, 60_000);
});
