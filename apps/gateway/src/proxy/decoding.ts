import type { Transform } from 'node:stream';
import zlib from 'node:zlib';

/** A content coding that the tap can read. `deflate` is zlib-wrapped, or raw as some servers send it. */
interface Coding {
  whole(bytes: Buffer, maxOutputLength: number): Buffer;
  stream(first: Buffer): Transform;
}

const gzip: Coding = {
  whole: (bytes, maxOutputLength) => zlib.gunzipSync(bytes, { maxOutputLength }),
  stream: () => zlib.createGunzip({ flush: zlib.constants.Z_SYNC_FLUSH }),
};

const CODINGS: ReadonlyMap<string, Coding> = new Map([
  ['gzip', gzip],
  ['x-gzip', gzip],
  [
    'deflate',
    {
      whole: (bytes, maxOutputLength) =>
        isZlibWrapped(bytes)
          ? zlib.inflateSync(bytes, { maxOutputLength })
          : zlib.inflateRawSync(bytes, { maxOutputLength }),
      stream: (first) => (isZlibWrapped(first) ? zlib.createInflate() : zlib.createInflateRaw()),
    },
  ],
  [
    'br',
    {
      whole: (bytes, maxOutputLength) => zlib.brotliDecompressSync(bytes, { maxOutputLength }),
      stream: () => zlib.createBrotliDecompress({ flush: zlib.constants.BROTLI_OPERATION_FLUSH }),
    },
  ],
  [
    'zstd',
    {
      whole: (bytes, maxOutputLength) => zlib.zstdDecompressSync(bytes, { maxOutputLength }),
      stream: () => zlib.createZstdDecompress(),
    },
  ],
]);

/** The part of an Accept-Encoding that the tap could read in the answer; `identity` when nothing is left of it. */
export function readableCodings(acceptEncoding: string): string {
  const kept = acceptEncoding.split(',').filter((item) => {
    const coding = item.split(';')[0]?.trim().toLowerCase() ?? '';
    return coding === 'identity' || CODINGS.has(coding);
  });
  return kept.join(',').trim() || 'identity';
}

/** Null: not compressed. Undefined: in a way that the tap cannot read. */
export function codingOf(contentEncoding: string | undefined): Coding | null | undefined {
  const name = contentEncoding?.trim().toLowerCase() ?? '';
  return name === '' || name === 'identity' ? null : CODINGS.get(name);
}

function isZlibWrapped(bytes: Buffer): boolean {
  return ((bytes[0] ?? 0) & 0x0f) === 8;
}

export type { Coding };
