import { brotliCompressSync, constants, gzipSync } from 'node:zlib';
import type { UsageMeter } from '../../apps/gateway/src/providers/provider.js';
import { type Ending, type Measured, measure, readHead } from '../../apps/gateway/src/proxy/measure.js';
import { openTap } from '../../apps/gateway/src/proxy/tap.js';
import type { Sample } from './sample.js';

export type Coding = 'identity' | 'gzip' | 'br';

const PACK: Record<Coding, (bytes: Buffer) => Buffer> = {
  identity: (bytes) => bytes,
  gzip: (bytes) => gzipSync(bytes),
  br: (bytes) => brotliCompressSync(bytes, { params: { [constants.BROTLI_PARAM_QUALITY]: 1 } }),
};

export interface Reading {
  measured: Measured;
  sent: Buffer;
  released: Buffer;
}

export interface Coming {
  /** Sizes of the chunks; the last one comes whole. */
  cuts?: readonly number[];
  coding?: Coding;
  ended?: Ending;
}

/**
 * Sends an answer through the tap, as the relay does: it is measured at the first word that nothing which counts can
 * follow, else at its end. Rejects with what the meter throws, which the tap would swallow.
 */
export async function readThroughTap(
  { request, contentType, mayDrop }: Sample,
  bytes: Buffer,
  { cuts = [], coding = 'identity', ended = 'completed' }: Coming = {},
): Promise<Reading> {
  const thrown: unknown[] = [];
  const meter = watched(request.meter(), thrown);
  const released: Buffer[] = [];
  let measured: Measured | null = null;
  let free: (() => void) | null = null;
  let isBusy = false;
  readHead(meter, { 'content-type': contentType });
  const tap = openTap({ contentType, contentEncoding: coding, contentLength: null, mayDrop }, meter, {
    release: (chunk) => void released.push(chunk),
    terminal: () => {
      measured ??= measure(meter, 'completed', false);
    },
    busy: (busy) => {
      isBusy = busy;
      if (!busy) free?.();
    },
  });
  const sent = PACK[coding](bytes);
  for (const chunk of chunksOf(sent, cuts)) {
    tap.push(chunk);
    if (isBusy)
      await new Promise<void>((resolve) => {
        free = resolve;
      });
  }
  await new Promise<void>((resolve) =>
    tap.finish(() => {
      measured ??= measure(meter, ended, false);
      resolve();
    }),
  );
  if (measured === null) throw new Error('not measured');
  if (thrown.length > 0) throw thrown[0];
  return { measured, sent, released: Buffer.concat(released) };
}

function chunksOf(bytes: Buffer, cuts: readonly number[]): Buffer[] {
  const chunks: Buffer[] = [];
  let at = 0;
  for (const size of cuts) {
    if (at >= bytes.length) break;
    chunks.push(bytes.subarray(at, at + size));
    at += size;
  }
  if (at < bytes.length) chunks.push(bytes.subarray(at));
  return chunks;
}

/** A meter must not throw, whatever it reads: the tap would only end its reading. */
function watched(meter: UsageMeter, thrown: unknown[]): UsageMeter {
  return new Proxy(meter, {
    get(target, name, receiver) {
      const member: unknown = Reflect.get(target, name, receiver);
      if (typeof member !== 'function') return member;
      return (...args: unknown[]) => {
        try {
          return member.apply(target, args);
        } catch (error) {
          thrown.push(error);
          throw error;
        }
      };
    },
  });
}
