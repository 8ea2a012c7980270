import { describe, expect, it } from '@jest/globals';
import { openProcessTable } from './file.process-table.js';
import type { SpoolHeader } from './spool-folder.js';
import { ProcessTable, writerIsGone } from './writer-process.js';

class OneProcess extends ProcessTable {
  readonly bootId = 'this boot';
  readonly pid = 100;
  startOf(pid: number): string | null {
    return pid === 7 ? '123' : null;
  }
}

describe('a writer', () => {
  it.each`
    host      | boot_id        | pid  | started  | gone
    ${'here'} | ${'this boot'} | ${7} | ${'123'} | ${false}
    ${'here'} | ${'this boot'} | ${7} | ${'99'}  | ${true}
    ${'here'} | ${'this boot'} | ${8} | ${'123'} | ${true}
    ${'here'} | ${'last boot'} | ${7} | ${'123'} | ${true}
    ${'away'} | ${'last boot'} | ${8} | ${'99'}  | ${false}
  `('on $host, $boot_id, pid $pid, started $started: gone = $gone', ({ gone, ...fields }) => {
    const header = { spool_id: 'any', ...fields } as unknown as SpoolHeader;
    expect(writerIsGone(header, 'here', new OneProcess())).toBe(gone);
  });

  it('is found in the process table of this machine, and a pid that nobody has is not', () => {
    const table = openProcessTable();
    expect(table.startOf(table.pid)).toMatch(/./);
    expect(table.startOf(table.pid)).toBe(table.startOf(process.pid));
    expect(table.startOf(4_194_305)).toBeNull();
  });
});
