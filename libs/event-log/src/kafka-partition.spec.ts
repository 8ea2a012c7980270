import { describe, expect, it } from '@jest/globals';
import { LogMismatchError, OffsetOutOfRangeError, type StoredRecord } from './event-log.js';
import { genesisRecord } from './genesis.js';
import { KafkaPartition } from './kafka-partition.js';

const LOG = 'log-a';
const genesis = (offset = 0n, logId = LOG): StoredRecord => ({ ...genesisRecord(logId), offset });

/** Records of the offsets first..last. */
function records(first: number, last: number): StoredRecord[] {
  return Array.from({ length: last - first + 1 }, (_, index) => ({
    offset: BigInt(first + index),
    key: 't',
    headers: { ce_type: 'Test.v1' },
    value: Buffer.alloc(0),
  }));
}

function partitionAt(next: bigint, logId: string | null = null): KafkaPartition {
  return new KafkaPartition('gateway.events', 0, LOG, { next, logId });
}

/** A reader at `next` that has joined a partition with offsets 0..head-1 and seen its genesis. */
function reading(next: bigint, head = 1_000_000n): KafkaPartition {
  const partition = partitionAt(next);
  partition.restart({ low: 0n, head });
  partition.offer([genesis()]);
  return partition;
}

const nobodyResumes = (): void => undefined;
const never = new AbortController().signal;

async function offsets(partition: KafkaPartition): Promise<number[]> {
  const batch = await partition.take(never, nobodyResumes);
  return batch?.records.map(({ offset }) => Number(offset)) ?? [];
}

describe('a reader of a Kafka partition', () => {
  it.each([
    // behaviour                                            position   first fetch                      then
    ['goes on right after the genesis', 0n, [genesis()], { do: 'go on' }],
    [
      'seeks its position behind the first fetch',
      50n,
      [genesis(), ...records(1, 9)],
      { do: 'seek', offset: 50n },
    ],
    ['goes on where the first fetch ends', 10n, [genesis(), ...records(1, 9)], { do: 'go on' }],
    ['reads again what is no genesis', 1n, records(5, 9), { do: 'seek', offset: 0n }],
    ['stops at the genesis of another log', 1n, [genesis(0n, 'log-b')], { do: 'pause' }],
  ])('%s', (_, next, first, then) => {
    const partition = partitionAt(next);
    partition.restart({ low: 0n, head: 100n });
    expect(partition.offer(first)).toEqual(then);
  });

  it('delivers from its position on, also out of the fetch that brought the genesis', async () => {
    const partition = partitionAt(4n, LOG);
    partition.restart({ low: 0n, head: 10n });
    partition.offer([genesis(), ...records(1, 6)]);
    expect(await offsets(partition)).toEqual([4, 5, 6]);
    partition.offer(records(7, 8));
    expect(await offsets(partition)).toEqual([7, 8]);
  });

  it('delivers a genesis that was written twice to nobody, and loses no offset over it', async () => {
    const partition = reading(1n);
    partition.offer([genesis(1n), ...records(2, 3)]);
    expect(await partition.take(never, nobodyResumes)).toMatchObject({
      next: 4n,
      records: [{ offset: 2n }, { offset: 3n }],
    });
  });

  it.each([
    ['a position on another log', () => partitionAt(1n, 'log-b'), LogMismatchError],
    ['a genesis of another log', () => offered(partitionAt(1n), [genesis(0n, 'log-b')]), LogMismatchError],
    [
      'a position beyond the head',
      () => joined(partitionAt(8n), { low: 0n, head: 7n }),
      OffsetOutOfRangeError,
    ],
    [
      'records that were deleted',
      () => joined(partitionAt(1n), { low: 3n, head: 7n }),
      OffsetOutOfRangeError,
    ],
    [
      'a partition that is empty',
      () => joined(partitionAt(0n), { low: 0n, head: 0n }),
      OffsetOutOfRangeError,
    ],
  ])('stops at %s', async (_, make, error) => {
    await expect((async () => make().take(never, nobodyResumes))()).rejects.toThrow(error);
  });

  it('forgives batches that were under way when it moved, but not forever', async () => {
    const partition = reading(5n);
    for (let stray = 1; stray <= 3; stray += 1) {
      expect(partition.offer(records(7, 9))).toEqual({ do: 'seek', offset: 5n });
    }
    expect(partition.offer(records(7, 9))).toEqual({ do: 'pause' });
    await expect(partition.take(never, nobodyResumes)).rejects.toThrow(OffsetOutOfRangeError);
  });

  it('takes neither a batch below its position (a reset) nor one with a hole', async () => {
    const partition = reading(5n);
    expect(partition.offer(records(1, 9))).toEqual({ do: 'seek', offset: 5n });
    expect(partition.offer([...records(5, 6), ...records(8, 9)])).toEqual({ do: 'seek', offset: 5n });
    expect(partition.offer(records(5, 6))).toEqual({ do: 'go on' });
    expect(await offsets(partition)).toEqual([5, 6]);
  });

  it('checks the log anew after a rejoin, and goes on at its own position', async () => {
    const partition = reading(1n);
    partition.offer(records(1, 4));
    partition.restart({ low: 0n, head: 100n });
    expect(partition.offer(records(5, 6))).toEqual({ do: 'seek', offset: 0n });
    expect(partition.offer([genesis(), ...records(1, 2)])).toEqual({ do: 'seek', offset: 5n });
    partition.offer(records(5, 6));
    expect([await offsets(partition), await offsets(partition)]).toEqual([
      [1, 2, 3, 4],
      [5, 6],
    ]);
  });

  it('hands a large fetch on in batches of 500, and fetches nothing more until they are taken', async () => {
    const partition = reading(1n);
    const resumed: number[] = [];
    expect(partition.offer(records(1, 4_000))).toEqual({ do: 'pause' });
    expect(partition.full).toBe(true);
    for (let taken = 1; taken <= 8; taken += 1) {
      const batch = await partition.take(never, () => resumed.push(taken));
      expect(batch?.records).toHaveLength(500);
    }
    expect(resumed).toHaveLength(1);
    expect(partition.full).toBe(false);
  });
});

function joined(partition: KafkaPartition, bounds: { low: bigint; head: bigint }): KafkaPartition {
  partition.restart(bounds);
  return partition;
}

function offered(partition: KafkaPartition, batch: StoredRecord[]): KafkaPartition {
  joined(partition, { low: 0n, head: 10n }).offer(batch);
  return partition;
}
