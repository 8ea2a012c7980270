import type { UsageMeter } from '../providers/provider.js';
import { ByteCollector } from './byte-collector.js';
import { JsonDigest } from './json-digest.js';
import { elementsThatCount } from './list-elements.js';

/** Up to this size a body is parsed as it is, in a few milliseconds; of a larger one a digest is. */
const WHOLE_BYTES_MAX = 1_048_576;

/** Folds a JSON body into a meter at its end. Never throws. */
export class BodyReader {
  /** Only the end of a body says that it is whole. */
  readonly terminal = false;
  private readonly whole = new ByteCollector();
  private digest: JsonDigest | null = null;
  private ended = false;

  constructor(private readonly meter: UsageMeter) {}

  feed(chunk: Buffer): void {
    if (this.digest === null && this.whole.length + chunk.length <= WHOLE_BYTES_MAX) {
      this.whole.add(chunk);
      return;
    }
    this.digest ??= new JsonDigest(this.meter.depth);
    if (this.whole.length > 0) this.digest.feed(this.whole.take());
    this.digest.feed(chunk);
  }

  close(): void {
    // What was kept is gone at the end.
  }

  /** Does nothing the second time. */
  end(): void {
    if (this.ended) return;
    this.ended = true;
    const bytes = this.digest ? this.digest.end() : this.whole.take();
    if (bytes === null || bytes.length === 0) return;
    if (!this.isReported(bytes)) this.meter.onTornBody(bytes.toString('latin1'));
  }

  /** False: not JSON, or damaged, or broken off, or without a report: what has come is all that can be counted. */
  private isReported(bytes: Buffer): boolean {
    const { meter } = this;
    try {
      meter.onBody(this.elements(bytes) ?? JSON.parse(bytes.toString('utf8')), bytes);
      return !meter.output || meter.reading().state !== 'none';
    } catch {
      return false;
    }
  }

  /** Those that count, of a list in which each says all that there is so far; null: all of it is to be parsed. */
  private elements(bytes: Buffer): unknown[] | null {
    const { signs, newestOnly } = this.meter;
    return signs && newestOnly ? elementsThatCount(bytes, signs, newestOnly) : null;
  }
}
