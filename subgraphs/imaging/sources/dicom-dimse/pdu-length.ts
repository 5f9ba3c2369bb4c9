import type { Socket } from 'node:net';

/** Bytes of a PDU that we take, PS3.8 §D.1; the peer is told. */
export const MAX_PDU = 256 * 1024;

/** Ends a connection at a PDU that is longer than we said we take: the library would gather it whole. */
export function refuseLongPdus(socket: Socket): void {
  let header: Buffer = Buffer.alloc(0);
  let left = 0;
  socket.on('data', (chunk: Buffer) => {
    for (let at = 0; at < chunk.length;) {
      if (left > 0) {
        const step = Math.min(left, chunk.length - at);
        left -= step;
        at += step;
        continue;
      }
      const part = chunk.subarray(at, at + 6 - header.length);
      header = Buffer.concat([header, part]);
      at += part.length;
      if (header.length < 6) continue;
      left = header.readUInt32BE(2);
      header = Buffer.alloc(0);
      if (left > MAX_PDU + 6) return void socket.destroy(new Error('a PDU of absurd length'));
    }
  });
}
