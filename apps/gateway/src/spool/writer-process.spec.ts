import { describe, expect, it } from '@jest/globals';
import { openProcessTable } from './file.process-table.js';
import type { SpoolHeader } from './spool-header.js';
import { ProcessTable, proofThatGone } from './writer-process.js';

class OneProcess extends ProcessTable {
  readonly bootId = 'this boot';
  readonly pid = 100;
  startOf(pid: number): string | null {
    return pid === 7 ? '123' : null;
  }
}

describe('a writer', () => {
  it.each`
    host      | boot_id        | pid  | started  | proof
    ${'here'} | ${'this boot'} | ${7} | ${'123'} | ${null}
    ${'here'} | ${'this boot'} | ${7} | ${'99'}  | ${'process_gone'}
    ${'here'} | ${'this boot'} | ${8} | ${'123'} | ${'process_gone'}
    ${'here'} | ${'last boot'} | ${7} | ${'123'} | ${'process_gone'}
    ${'away'} | ${'last boot'} | ${8} | ${'99'}  | ${'silence'}
    ${'away'} | ${'this boot'} | ${7} | ${'123'} | ${'silence'}
  `('on $host, $boot_id, pid $pid, started $started: $proof', ({ proof, ...fields }) => {
    const header = { spool_id: 'any', ...fields } as unknown as SpoolHeader;
    expect(proofThatGone(header, 'here', new OneProcess())).toBe(proof);
  });

  it('is found in the process table of this machine, and a pid that nobody has is not', () => {
    const table = openProcessTable();
    expect(table.startOf(table.pid)).toMatch(/./);
    expect(table.startOf(table.pid)).toBe(table.startOf(process.pid));
    expect(table.startOf(4_194_305)).toBeNull();
  });
});
