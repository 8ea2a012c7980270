import type { Readable } from 'node:stream';
import type { Dispatcher } from 'undici';

/** One request to a provider. `path` is the raw target, forwarded byte for byte. */
export interface UpstreamRequest {
  method: 'GET' | 'POST' | 'DELETE';
  path: string;
  headers: Record<string, string>;
  body: Buffer | Readable | null;
}

/** The providers' servers. Nothing is ever sent twice. */
export abstract class Upstreams {
  /** Sends the request on a kept-alive connection to the origin; everything that follows, errors included, is told to the handler. */
  abstract dispatch(origin: string, request: UpstreamRequest, handler: Dispatcher.DispatchHandler): void;

  /** Breaks what is still open. */
  abstract close(): Promise<void>;
}
