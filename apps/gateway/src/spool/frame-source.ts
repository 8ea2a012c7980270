import type { Frame } from './frame.js';
import { checksumSeed, frameAt, nextFrameFrom } from './frame.js';
import type { SpoolDisk } from './spool-disk.js';

/** One file of a spool. `bytes` is how far it may be read, and grows while it is written. */
export interface SegmentFile {
  readonly index: number;
  readonly path: string;
  readonly bytes: number;
}

/** A spool to read from: this process's own, or one that a dead writer left. */
export interface FrameSource {
  readonly id: string;
  /** The segments that are there, in order. */
  readonly segments: readonly SegmentFile[];
  /** Whether frames may still be added. If not, what is unreadable at the very end is a torn write and is cut. */
  readonly growing: boolean;
}

/** A place in a spool as one number, so that places compare: segment times 2^32 plus the offset in it. */
export type Position = number;
const SEGMENT_SPAN = 2 ** 32;

export function positionOf(segment: number, offset: number): Position {
  return segment * SEGMENT_SPAN + offset;
}

/** Bytes that are no frame, though frames follow. */
export interface Damage {
  segment: number;
  offset: number;
  bytes: Buffer;
}

/** What was read between two positions. */
export interface Chunk {
  start: Position;
  end: Position;
  frames: { at: Position; frame: Frame }[];
  damage: Damage[];
  /** Bytes cut off as a torn last write. */
  tornBytes: number;
}

const WINDOW_BYTES = 262_144;

/** Where the next unread byte at or behind a position is: past deleted and finished segments; null at the end of the spool. */
export function nextUnread(source: FrameSource, position: Position): Position | null {
  for (const segment of source.segments) {
    const from = Math.max(position, positionOf(segment.index, 0));
    if (from < positionOf(segment.index, segment.bytes)) return from;
  }
  return null;
}

/** Reads frames from a position that `nextUnread` gave, resuming behind damage. Frames are views on one buffer per call. */
export async function readChunk(source: FrameSource, disk: SpoolDisk, start: Position): Promise<Chunk> {
  const segment = source.segments.find(({ index }) => index === Math.floor(start / SEGMENT_SPAN));
  if (segment === undefined) throw new Error('the segment to read is gone');
  const offset = start % SEGMENT_SPAN;
  const rest = segment.bytes - offset;
  const seed = checksumSeed(source.id);
  if (rest > WINDOW_BYTES) {
    const window = wholeFrames(await disk.read(segment.path, offset, WINDOW_BYTES), start, seed);
    if (window.frames.length > 0) return window;
  }
  // At the end of the segment, or where a frame is damaged or longer than the window: only the whole rest tells which.
  const chunk = wholeFrames(await disk.read(segment.path, offset, rest), start, seed);
  if (chunk.end === start + rest) return chunk;
  const tail = await disk.read(segment.path, chunk.end % SEGMENT_SPAN, start + rest - chunk.end);
  return behindDamage(source, segment, chunk, tail, start + rest);
}

/** The undamaged frames from the start of `bytes` on, up to the first byte that begins none. */
function wholeFrames(bytes: Buffer, start: Position, seed: number): Chunk {
  const frames: Chunk['frames'] = [];
  let at = 0;
  for (let frame = frameAt(bytes, 0, seed); frame !== null; frame = frameAt(bytes, at, seed)) {
    frames.push({ at: start + at, frame });
    at += frame.bytes.length;
  }
  return { start, end: start + at, frames, damage: [], tornBytes: 0 };
}

/** Adds to `chunk` what stands behind its end: `bytes` begin with damage and reach to the end of the segment. */
function behindDamage(
  source: FrameSource,
  segment: SegmentFile,
  chunk: Chunk,
  bytes: Buffer,
  segmentEnd: Position,
): Chunk {
  const seed = checksumSeed(source.id);
  const resumeAt = nextFrameFrom(bytes, 1, seed);
  const isLast = source.segments.at(-1)?.index === segment.index;
  if (resumeAt < 0 && isLast && !source.growing)
    return { ...chunk, end: segmentEnd, tornBytes: bytes.length };
  const damaged = resumeAt < 0 ? bytes : bytes.subarray(0, resumeAt);
  return {
    ...chunk,
    end: resumeAt < 0 ? segmentEnd : chunk.end + resumeAt,
    damage: [{ segment: segment.index, offset: chunk.end % SEGMENT_SPAN, bytes: damaged }],
  };
}
