/** A client that costs as little as it can, so that the server is measured and not the client. */
import { connect } from 'node:net';

const ACCEPT = 'multipart/related; type="application/dicom"; transfer-syntax=*';

const BUFFER = 1 << 20;

/**
 * Reads an answer to its end through one reused buffer.
 * @returns bytes received, the header included
 */
export function download(url: string, headers: Record<string, string> = {}): Promise<number> {
  const { hostname, port, pathname } = new URL(url);
  const fields = { host: `${hostname}:${port}`, accept: ACCEPT, connection: 'close', ...headers };
  const lines = Object.entries(fields).map(([name, value]) => `${name}: ${value}\r\n`);
  return new Promise((resolve, reject) => {
    let bytes = 0;
    let status = '';
    const socket = connect({
      port: Number(port),
      host: hostname,
      onread: {
        buffer: Buffer.allocUnsafe(BUFFER),
        callback(count, buffer) {
          if (bytes === 0) status = Buffer.from(buffer.buffer, 0, Math.min(count, 12)).toString('latin1');
          bytes += count;
          return true;
        },
      },
    });
    socket.once('error', reject);
    socket.once('close', () => {
      if (status.endsWith('200')) resolve(bytes);
      else reject(new Error(`answered ${status}`));
    });
    socket.write(`GET ${pathname} HTTP/1.1\r\n${lines.join('')}\r\n`);
  });
}

/**
 * Reads a few bytes now and then and never catches up, as over a slow line; ends after `milliseconds`.
 * @returns bytes received
 */
export function dawdle(url: string, milliseconds: number): Promise<number> {
  const { hostname, port, pathname } = new URL(url);
  return new Promise((resolve, reject) => {
    let bytes = 0;
    const socket = connect({ port: Number(port), host: hostname });
    const turn = setInterval(() => socket.resume(), 100);
    socket.on('data', (chunk) => {
      bytes += chunk.length;
      socket.pause();
    });
    socket.once('error', reject);
    socket.once('close', () => {
      clearInterval(turn);
      resolve(bytes);
    });
    setTimeout(() => socket.destroy(), milliseconds);
    socket.write(`GET ${pathname} HTTP/1.1\r\nhost: ${hostname}:${port}\r\naccept: ${ACCEPT}\r\n\r\n`);
  });
}
