/** Where feeds are read. */
export abstract class FeedReader {
  /** The JSON that the URL answers. Throws for anything else than one whole answer of status 200 in time and within bounds, and when `stopped`. */
  abstract read(url: string, stopped: AbortSignal): Promise<unknown>;
}
