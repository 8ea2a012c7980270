import type { EventVerdict, UsageMeter } from '../providers/provider.js';
import { type Opening, type QuietEvents, startOfEvent } from '../providers/quiet-events.js';

const LF = 0x0a;
const CR = 0x0d;
/** With the end of the line before it. */
const BLANK_LINE_MAX = '\r\n\r\n'.length;

/** So much waits at most; then it is read at once, which costs less than reading each event when it comes. */
const WAITING_BYTES_MAX = 8_192;
/** A chunk costs about a hundred bytes beside its own. */
const WAITING_CHUNKS_MAX = 128;

/**
 * The events of a stream that can wait (`QuietEvents`): recognised by their first bytes, kept as they came and looked
 * through together, before the next event that cannot wait. Most of a stream is never decoded.
 */
export class QuietBacklog {
  private waiting: Buffer[] = [];
  private bytes = 0;
  private mustBeRead = false;
  private usual = 0;

  /** @param read reads one event. */
  constructor(
    private readonly meter: UsageMeter,
    private readonly read: (event: string) => EventVerdict | null,
  ) {}

  /**
   * Takes whole quiet events. @param from where an event begins. @param limit no event reaches over it.
   * @returns where the first event begins that is not quiet, or not whole; `limit`: there is none.
   */
  take(chunk: Buffer, from: number, limit: number): number {
    const { quiet } = this.meter;
    if (!quiet) return from;
    let at = from;
    let keptFrom = from;
    while (at < limit) {
      const opening = this.openingAt(quiet, chunk, at);
      if (opening === null) break;
      const end = endOfEvent(chunk, at + opening.bytes.length, limit);
      if (end === 0 || (quiet.holds && !quiet.holds(chunk, at, end))) break;
      if (opening.says === 'nothing') {
        this.keep(chunk, keptFrom, at);
        keptFrom = end;
      } else if (opening.says === 'anything') this.mustBeRead = true;
      at = end;
    }
    this.keep(chunk, keptFrom, at);
    return at;
  }

  /** Reads what waits. */
  flush(): void {
    const { waiting } = this;
    if (waiting.length === 0) return;
    this.waiting = [];
    this.bytes = 0;
    if (!this.mustBeRead) {
      this.meter.onQuiet?.(waiting);
      return;
    }
    this.mustBeRead = false;
    const joined = waiting.length === 1 && waiting[0] ? waiting[0] : Buffer.concat(waiting);
    if (this.meter.quiet) this.lookThrough(this.meter.quiet, joined);
    this.meter.onQuiet?.([joined]);
  }

  /** It is nearly always the one that it was before. */
  private openingAt(quiet: QuietEvents, chunk: Buffer, at: number): Opening | null {
    const { openings } = quiet;
    const usual = openings[this.usual];
    if (usual && beginsWith(chunk, at, usual.bytes)) return usual;
    for (let index = 0; index < openings.length; index += 1) {
      const opening = openings[index];
      if (opening && index !== this.usual && beginsWith(chunk, at, opening.bytes)) {
        this.usual = index;
        return opening;
      }
    }
    return null;
  }

  private keep(chunk: Buffer, from: number, to: number): void {
    if (from === to) return;
    this.waiting.push(to - from === chunk.length ? chunk : chunk.subarray(from, to));
    this.bytes += to - from;
    if (this.bytes > WAITING_BYTES_MAX || this.waiting.length > WAITING_CHUNKS_MAX) this.flush();
  }

  private lookThrough({ counts, supersede }: QuietEvents, bytes: Buffer): void {
    // One character per byte, so that places in it are places in the bytes.
    const text = bytes.toString('latin1');
    let readTo = 0;
    if (counts) {
      counts.lastIndex = 0;
      for (let found = counts.exec(text); found; found = counts.exec(text)) {
        const end = endOfEvent(bytes, found.index, bytes.length);
        if (supersede) this.readNewest(bytes, text, readTo, end);
        else this.read(bytes.toString('utf8', startOfEvent(text, found.index), end));
        readTo = end;
        counts.lastIndex = end;
      }
    }
    if (supersede) this.readNewest(bytes, text, readTo, text.length);
  }

  /** The last event between two places; one that cannot be read does not take the place of the one before it. */
  private readNewest(bytes: Buffer, text: string, from: number, to: number): void {
    for (let end = to; end > from; ) {
      const start = startOfEvent(text, end - BLANK_LINE_MAX);
      const verdict = this.read(bytes.toString('utf8', start, end));
      if (verdict !== null && !verdict.unread) return;
      end = start;
    }
  }
}

function beginsWith(chunk: Buffer, at: number, opening: Buffer): boolean {
  if (at + opening.length > chunk.length) return false;
  for (let index = 0; index < opening.length; index += 1)
    if (chunk[at + index] !== opening[index]) return false;
  return true;
}

/** Where the event ends of which the last line goes on at `from`; 0: it has further lines, or is not whole. */
function endOfEvent(chunk: Buffer, from: number, limit: number): number {
  const lineEnd = chunk.indexOf(LF, from);
  if (lineEnd < 0) return 0;
  const next = chunk[lineEnd + 1];
  const end = next === LF ? lineEnd + 2 : next === CR && chunk[lineEnd + 2] === LF ? lineEnd + 3 : 0;
  return end <= limit ? end : 0;
}
