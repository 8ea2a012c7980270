import http from 'node:http';
import { brotliDecompressSync, gunzipSync, inflateSync } from 'node:zlib';
import { secretsWatch } from './secrets-watch.js';

export interface RawRequest {
  method: string;
  /** As it goes over the wire: nothing is normalised. */
  path: string;
  /** `host` replaces the real one, so that subdomains can be asked for. */
  headers?: Record<string, string>;
  body?: string | Buffer;
}

export interface RawAnswer {
  status: number;
  /** Names in lower case, repeated ones joined by ", ". */
  headers: Record<string, string>;
  /** As sent, only the transfer coding taken off. */
  body: Buffer;
  /** `body` with its content-encoding undone. */
  decodedBody: Buffer;
}

/** One request on a connection of its own. Rejects when the answer is cut off. */
export function rawRequest(
  baseUrl: string,
  { method, path, headers = {}, body }: RawRequest,
): Promise<RawAnswer> {
  const { hostname, port } = new URL(baseUrl);
  return new Promise((resolve, reject) => {
    const request = http.request({ hostname, port, method, path, headers, agent: false }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () => {
        const bytes = Buffer.concat(chunks);
        const answer = {
          status: response.statusCode ?? 0,
          headers: joined(response.headers),
          body: bytes,
          decodedBody: decoded(bytes, response.headers['content-encoding']),
        };
        secretsWatch.answered(`the answer of ${method} ${path}`, body, answer.decodedBody);
        secretsWatch.look(`the headers of ${method} ${path}`, JSON.stringify(answer.headers));
        resolve(answer);
      });
    });
    request.on('error', reject);
    request.end(body);
  });
}

function joined(headers: http.IncomingHttpHeaders): Record<string, string> {
  return Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [name, [value].flat().join(', ')]),
  );
}

function decoded(bytes: Buffer, encoding: string | undefined): Buffer {
  if (bytes.length === 0) return bytes;
  switch (encoding) {
    case 'gzip':
      return gunzipSync(bytes);
    case 'br':
      return brotliDecompressSync(bytes);
    case 'deflate':
      return inflateSync(bytes);
    default:
      return bytes;
  }
}
