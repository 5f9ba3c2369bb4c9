import { STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import { CACHE_CONTROL } from '../../schema/http/cache-control.ts';

const ANSWERS: Readonly<Record<string, readonly [status: number, error: string, message: string]>> = {
  HPE_HEADER_OVERFLOW: [431, 'headers_too_large', 'The headers of the request are too long.'],
  ERR_HTTP_REQUEST_TIMEOUT: [408, 'request_timeout', 'The request did not arrive in time.'],
};
const MALFORMED = [400, 'invalid_request', 'This is not an HTTP request that can be read.'] as const;

/**
 * Answers a request that Node's parser could not read, and ends the connection.
 * @param early headers of every answer; with the CORS headers, an app in a browser can read the status
 */
export function refuseUnparsed(
  error: NodeJS.ErrnoException,
  socket: Socket,
  early: Record<string, string>,
): void {
  // A client that reset the connection gets no answer.
  if (error.code === 'ECONNRESET' || !socket.writable) return void socket.destroy(error);
  const [status, code, message] = ANSWERS[error.code ?? ''] ?? MALFORMED;
  const body = JSON.stringify({ error: code, message });
  const headers = {
    ...early,
    'content-type': 'application/json',
    'content-length': String(Buffer.byteLength(body)),
    'cache-control': CACHE_CONTROL.noStore,
    connection: 'close',
  };
  const head = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  socket.end(`HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n${head.join('')}\r\n${body}`);
}
