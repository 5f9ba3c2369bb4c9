import type { ServerResponse } from 'node:http';

/** How often in its time a reader is looked at. */
const LOOKS = 4;

/**
 * Ends the connection of a client that takes nothing of its answer for so long, though there are bytes for it: it would
 * hold what the answer is made of, such as a connection to an archive, for ever. One that takes something may be slow, but
 * buffers of the system hide about a megabyte of what it takes.
 * @param onEnd called when it is ended
 */
export function endIdleReader(response: ServerResponse, seconds: number, onEnd: () => void): void {
  const { socket } = response;
  if (!socket || response.closed) return;
  /** Bytes that the system has taken from us, which is as many as the client has room for. */
  const taken = (): number => socket.bytesWritten - socket.writableLength;
  let [last, idle] = [taken(), 0];
  const turn = setInterval(
    () => {
      const now = taken();
      idle = now === last && socket.writableLength > 0 ? idle + 1 : 0;
      last = now;
      if (idle < LOOKS) return;
      onEnd();
      socket.destroy();
    },
    (seconds * 1000) / LOOKS,
  ).unref();
  response.once('close', () => clearInterval(turn));
}
