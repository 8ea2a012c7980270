import { describe, expect, it } from '@jest/globals';
import { WorkQueue } from './queue.js';
import type { Report, Work } from './work.js';

const LIMIT = 10;
const told = { resolve: () => undefined, reject: () => undefined };

/** `c`: a command, `r`: a report; each known again by its place in the text. */
function queueOf(arrivals: string): WorkQueue {
  const queue = new WorkQueue();
  for (const [index, kind] of [...arrivals].entries()) queue.push(workOf(kind, index));
  return queue;
}

function workOf(kind: string, index: number): Work {
  if (kind === 'r') return { kind: 'report', report: { offset: BigInt(index) } as Report, ...told };
  const command = { type: 'expire', holdId: String(index), tenantId: 't', reason: 'max_age' } as const;
  return { kind: 'command', command, ...told };
}

function placeOf(work: Work): number {
  if (work.kind === 'report') return Number(work.report.offset);
  return work.kind === 'command' && work.command.type === 'expire' ? Number(work.command.holdId) : -1;
}

function kinds(works: Work[]): string {
  return works.map(({ kind }) => (kind === 'report' ? 'r' : 'c')).join('');
}

describe('the queue of the writer', () => {
  it.each([
    // behaviour                                                       arrivals                  next batch
    ['takes everything in the order of arrival', 'crrc', 'crrc'],
    ['gives reports at most half of a batch while commands wait', 'rrrrrrrrcccccccc', 'rrrrrccccc'],
    ['gives reports at most half of a batch for one command that waits', 'rrrrrrrrrrrrc', 'rrrrrc'],
    ['gives reports the whole batch while no command waits', 'rrrrrrrrrrrr', 'rrrrrrrrrr'],
    ['gives commands what reports do not need', 'rccccccccccc', 'rccccccccc'],
  ])('%s', (_, arrivals, batch) => {
    const taken = queueOf(arrivals).take(LIMIT);
    expect(kinds(taken)).toBe(batch);
    expect(taken.map(placeOf)).toEqual(taken.map(placeOf).toSorted((a, b) => a - b));
  });

  it('leaves nothing behind and loses nothing over several batches', () => {
    const queue = queueOf('rrrrrrrrrrrrccc');
    const all = [queue.take(LIMIT), queue.take(LIMIT), queue.take(LIMIT)].flat().map(placeOf);
    expect(all.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 15 }, (_, index) => index));
  });
});
