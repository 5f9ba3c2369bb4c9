/** A line of a known speed and delay between the browser and the gateway, shared by all connections. */
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';

export interface Line {
  port: number;
  /** Ends when nothing is on the line. */
  idle(): Promise<void>;
  close(): void;
}

export interface LineOptions {
  /** Port on loopback behind the line. */
  target: () => number;
  /** From the gateway to the browser; the other way carries little. */
  bytesPerSecond: number;
  /** Milliseconds for the way there and back. */
  roundTrip: number;
}

/** Bytes that are sent at once, as packets are. */
const PACKET = 1448;

export async function startLine({ target, bytesPerSecond, roundTrip }: LineOptions): Promise<Line> {
  const sockets = new Set<Socket>();
  /** When the line has sent all that it was given, in milliseconds. */
  let free = 0;
  const half = roundTrip / 2;

  const server = createServer((near) => {
    // The handshake of TCP takes one round trip before the first byte.
    const begun = performance.now() + roundTrip;
    const far = connect(target(), '127.0.0.1');
    for (const socket of [near, far]) {
      sockets.add(socket);
      socket.on('error', () => undefined);
      socket.on('close', () => sockets.delete(socket));
    }
    const [there, back] = [inOrder(far), inOrder(near)];
    near.on('data', (chunk) => there(chunk, Math.max(performance.now(), begun) + half));
    near.on('close', () => at(performance.now() + half, () => far.destroy()));
    far.on('data', (chunk) => {
      let last = 0;
      for (let from = 0; from < chunk.length; from += PACKET) {
        const part = chunk.subarray(from, from + PACKET);
        free = Math.max(free, performance.now()) + (part.length / bytesPerSecond) * 1000;
        last = free;
        back(part, free + half);
      }
      // Connections take turns: what one server socket has read waits for its turn before it reads more.
      far.pause();
      at(last, () => far.resume());
    });
    far.on('end', () => at(Math.max(free, performance.now()) + half, () => near.end()));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    async idle() {
      while (free + half > performance.now()) await delay(free + half - performance.now());
    },
    close() {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}

/** Returns a function that writes parts at their times. Timers are exact to a millisecond only: two may change places. */
function inOrder(to: Socket): (part: Buffer, time: number) => void {
  const parts: Buffer[] = [];
  return (part, time) => {
    parts.push(part);
    at(time, () => to.write(parts.shift()!));
  };
}

function at(time: number, run: () => void): void {
  setTimeout(run, Math.max(0, time - performance.now()));
}
