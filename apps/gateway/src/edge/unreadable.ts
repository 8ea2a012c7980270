import type http from 'node:http';
import type { Duplex } from 'node:stream';
import { errorResponse, VendoError } from '@vendo/errors';
import { CORS_HEADERS } from './cors.js';

/**
 * Answers what never became a request: Node's parser could not read it, it came too slowly, or it asked for a tunnel.
 * The connection ends with it, because nobody knows where on it a next request would begin.
 */
export function refuseUnreadable(error: VendoError, socket: Duplex): void {
  // An answer that has begun cannot be taken back; what is written behind it would be read as a part of it.
  if (!socket.writable || answerBegun(socket)) {
    socket.destroy();
    return;
  }
  const { status, headers, body } = errorResponse(error);
  const text = JSON.stringify(body);
  const lines = {
    ...headers,
    ...CORS_HEADERS,
    'content-length': String(Buffer.byteLength(text)),
    connection: 'close',
  };
  const head = Object.entries(lines).map(([name, value]) => `${name}: ${value}\r\n`);
  socket.end(`HTTP/1.1 ${status} \r\n${head.join('')}\r\n${text}`, () => socket.destroy());
}

/** What the parser's error means to the client. */
export function parserError({ code }: NodeJS.ErrnoException): VendoError {
  switch (code) {
    case 'HPE_HEADER_OVERFLOW':
      return new VendoError('headers_too_large');
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return new VendoError('request_timeout');
    case 'HPE_CHUNK_EXTENSIONS_OVERFLOW':
      return new VendoError('body_too_large', 'The chunk extensions of the body are over the limit.');
    default:
      return new VendoError('invalid_request', 'The request is not well-formed HTTP.');
  }
}

/** Node keeps the answer that stands on a connection there. */
function answerBegun(socket: Duplex): boolean {
  const { _httpMessage } = socket as Duplex & { _httpMessage?: http.ServerResponse | null };
  return _httpMessage?.headersSent === true;
}
