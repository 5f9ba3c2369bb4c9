import type { Socket } from 'node:net';

/** Most bytes of a received PDU, announced to the peer, PS3.8 §D.1. */
export const MAX_PDU = 256 * 1024;

/**
 * Ends a connection when a PDU is longer than announced, because the library would hold it in memory, or takes too
 * long.
 * @param milliseconds from the first to the last byte of a PDU, without time in which the socket is paused
 */
export function boundPdus(socket: Socket, milliseconds: number): void {
  let header: Buffer = Buffer.alloc(0);
  let left = 0;
  let timer: NodeJS.Timeout | undefined;
  const expectEnd = (): void => {
    timer ??= setTimeout(late, milliseconds).unref();
  };
  const late = (): void => {
    timer = undefined;
    if (socket.isPaused()) return expectEnd();
    socket.destroy(Object.assign(new Error('a PDU that timed out'), { code: 'ETIMEDOUT' }));
  };
  const complete = (): void => {
    clearTimeout(timer);
    timer = undefined;
  };
  socket.once('close', complete);
  socket.on('data', (chunk: Buffer) => {
    for (let at = 0; at < chunk.length;) {
      if (left > 0) {
        const step = Math.min(left, chunk.length - at);
        left -= step;
        at += step;
        if (left === 0) complete();
        continue;
      }
      const part = chunk.subarray(at, at + 6 - header.length);
      header = Buffer.concat([header, part]);
      at += part.length;
      if (header.length < 6) continue;
      left = header.readUInt32BE(2);
      header = Buffer.alloc(0);
      if (left === 0) complete();
      if (left > MAX_PDU + 6) return void socket.destroy(new Error('a PDU of absurd length'));
    }
    if (left > 0 || header.length > 0) expectEnd();
  });
}
