import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import net from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Exchange } from './exchange.js';
import { SendQueues } from './send-queues.js';

const onLinux = process.platform === 'linux';
if (!onLinux) process.stderr.write('SEND QUEUES WERE NOT TESTED: this is not Linux\n');

(onLinux ? describe : describe.skip)('what the kernel keeps for a client', () => {
  let server: net.Server;
  let ours: net.Socket;
  let client: net.Socket;
  const queues = new SendQueues();
  beforeEach(async () => {
    server = net.createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const accepted = once(server, 'connection');
    client = net.connect((server.address() as net.AddressInfo).port, '127.0.0.1');
    [ours] = (await accepted) as [net.Socket];
    client.pause();
  });
  afterEach(() => {
    client.destroy();
    ours.destroy();
    server.close();
  });

  it('is what it has not taken, and nothing once it has taken all', async () => {
    while (ours.write(Buffer.alloc(1_048_576)));
    const drained = once(ours, 'drain');
    expect(await queues.of(ours)).toBeGreaterThan(65_536);
    client.resume();
    await drained;
    for (let left: number | null = -1; left !== 0; ) left = await queues.of(ours);
  });

  it('is told of each of many that ask at once', async () => {
    expect(await Promise.all(Array.from({ length: 100 }, () => queues.of(ours)))).toEqual(Array(100).fill(0));
  });

  it('cannot be known of a connection that has ended', async () => {
    ours.destroy();
    expect(await queues.of(ours)).toBeNull();
    expect(await queues.of(null)).toBeNull();
  });
});

describe('a client on whose connection Node sees no movement', () => {
  /** @returns at which of the looks it is told to be still, when the kernel keeps so many bytes at each. */
  async function stillAt(kept: readonly (number | null)[], full = true): Promise<number[]> {
    let look: () => Promise<void> = async () => undefined;
    const response = {
      on: () => undefined,
      socket: {},
      writableFinished: false,
      writableLength: full ? 1 : 0,
      setTimeout(_ms: number, still?: () => Promise<void>) {
        if (still) look = still;
      },
    };
    const exchange = new Exchange(
      { on: () => undefined } as unknown as IncomingMessage,
      response as unknown as ServerResponse,
    );
    const told: number[] = [];
    let nth = 0;
    const queues = { of: async () => kept[nth] ?? null };
    exchange.onStill(1, queues as unknown as SendQueues, () => void told.push(nth));
    for (; nth < kept.length; nth += 1) await look();
    return told;
  }

  it('is not still while the kernel keeps ever less for it', async () => {
    expect(await stillAt([3_000, 2_000, 1_000])).toEqual([]);
  });

  it('is still when the kernel keeps as much as one time earlier', async () => {
    expect(await stillAt([3_000, 2_000, 2_000])).toEqual([2]);
  });

  it('is still at once where the kernel says nothing', async () => {
    expect(await stillAt([null])).toEqual([0]);
  });

  it('is not still while nothing waits for it', async () => {
    expect(await stillAt([0, 0, null], false)).toEqual([]);
  });
});
