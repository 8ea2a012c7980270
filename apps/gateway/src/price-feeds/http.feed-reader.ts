import { FeedReader } from './feed-reader.js';

const ANSWER_WITHIN_MS = 30_000;
/** The longest list there is has about two. */
const BYTES_MAX = 16_777_216;

/** Feeds over HTTP, without any credential. A redirect is no answer: prices come from where the operator said. */
export class HttpFeedReader extends FeedReader {
  constructor(
    private readonly answerWithinMs = ANSWER_WITHIN_MS,
    private readonly bytesMax = BYTES_MAX,
  ) {
    super();
  }

  async read(url: string, stopped: AbortSignal): Promise<unknown> {
    const signal = AbortSignal.any([AbortSignal.timeout(this.answerWithinMs), stopped]);
    const answer = await fetch(url, { signal, redirect: 'error', headers: { accept: 'application/json' } });
    if (answer.status !== 200 || answer.body === null) {
      await answer.body?.cancel();
      throw new Error(`it answered ${answer.status}`);
    }
    const chunks: Uint8Array[] = [];
    let bytes = 0;
    for await (const chunk of answer.body as AsyncIterable<Uint8Array>) {
      bytes += chunk.length;
      // Leaving the loop cancels the body.
      if (bytes > this.bytesMax) throw new Error(`it is over ${this.bytesMax} bytes`);
      chunks.push(chunk);
    }
    return JSON.parse(Buffer.concat(chunks).toString('utf8')) as unknown;
  }
}
