import type { OwnAnswers } from '../providers/provider.js';
import { ByteCollector } from './byte-collector.js';

/** More than any answer that such a route is for. */
const BYTES_MAX = 33_554_432;

/** Collects an answer of the provider that the client gets in a shape of ours: it can be made only of the whole. */
export class OwnAnswer {
  private readonly body = new ByteCollector();

  constructor(private readonly shape: OwnAnswers) {}

  /** @returns false when it is over 32 MiB: then nothing can be made of it. */
  add(bytes: Buffer): boolean {
    if (this.body.length + bytes.length > BYTES_MAX) return false;
    this.body.add(bytes);
    return true;
  }

  end(status: number): Buffer {
    return this.shape.answer(status, this.body.take());
  }
}
