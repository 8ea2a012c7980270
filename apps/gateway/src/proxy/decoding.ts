import type { Transform } from 'node:stream';
import zlib from 'node:zlib';

/** Makes a decompressor for a content coding that the tap can read. @param first the first chunk. */
type Coding = (first: Buffer) => Transform;

const gunzip: Coding = () => zlib.createGunzip({ flush: zlib.constants.Z_SYNC_FLUSH });

const CODINGS: ReadonlyMap<string, Coding> = new Map<string, Coding>([
  ['gzip', gunzip],
  ['x-gzip', gunzip],
  // Zlib-wrapped, or raw as some servers send it.
  ['deflate', (first) => (isZlibWrapped(first) ? zlib.createInflate() : zlib.createInflateRaw())],
  ['br', () => zlib.createBrotliDecompress({ flush: zlib.constants.BROTLI_OPERATION_FLUSH })],
  ['zstd', () => zlib.createZstdDecompress()],
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
  if (contentEncoding === undefined) return null;
  const names = contentEncoding
    .split(',')
    .map((name) => name.trim().toLowerCase())
    .filter((name) => name !== '' && name !== 'identity');
  const [name, another] = names;
  if (name === undefined) return null;
  return another === undefined ? CODINGS.get(name) : undefined;
}

function isZlibWrapped(bytes: Buffer): boolean {
  return ((bytes[0] ?? 0) & 0x0f) === 8;
}

export type { Coding };
