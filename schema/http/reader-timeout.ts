import type { ServerResponse } from 'node:http';

/** Number of checks within the timeout. */
const LOOKS = 4;

/**
 * Ends the connection of a client that reads nothing of its answer for `seconds`, although bytes are waiting: it would
 * hold resources, such as a connection to an archive, for ever. A client that reads slowly is not ended. Buffers of the
 * system hide about a megabyte of what it reads.
 * @param onEnd called when the connection is ended
 */
export function endIdleReader(response: ServerResponse, seconds: number, onEnd: () => void): void {
  const { socket } = response;
  if (!socket || response.closed) return;
  /** Bytes that the system has taken from us: as many as the client has room for. */
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
