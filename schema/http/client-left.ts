import type { FastifyReply } from 'fastify';
import { LEFT } from '../fault/left.ts';
import { RequestEnd } from '../process/request-end.ts';

export interface ClientLeftOptions {
  /**
   * Abort also after the answer: no work goes on that the answer did not wait for (default: false). Decided when the
   * connection closes: an answer from memory leaves no work, and an abort takes a while.
   */
  orAnswered?: boolean | (() => boolean);
  /** Called when the connection closes. */
  onClose?: () => void;
}

/** Returns a signal that aborts when the client leaves before it has its answer, to end work for it (DW-15). */
export const clientLeft = (reply: FastifyReply, options?: ClientLeftOptions): AbortSignal =>
  endOf(reply, options).signal;

/** Returns a function that throws when the client has closed the connection before it had its answer. */
export const throwIfLeft =
  ({ raw }: FastifyReply) =>
  (): void => {
    if (raw.destroyed) throw LEFT;
  };

/** Returns the end of a request: when the client leaves before it has its answer. */
export function endOf(reply: FastifyReply, options?: ClientLeftOptions): RequestEnd {
  const over = new RequestEnd();
  abortWhenClientLeaves(reply, over, options);
  return over;
}

/** Does the same for an end that something else may bring first. */
export function abortWhenClientLeaves(
  { raw }: FastifyReply,
  left: RequestEnd,
  { orAnswered = false, onClose }: ClientLeftOptions = {},
): void {
  raw.once('close', () => {
    onClose?.();
    const ends = typeof orAnswered === 'function' ? orAnswered() : orAnswered;
    if (ends || !raw.writableFinished) left.abort(LEFT);
  });
}

/**
 * Returns true when the client has closed the connection before it had its whole answer. False when the server has ended the
 * connection, because a source broke off.
 */
export function hasLeft({ raw, request }: Pick<FastifyReply, 'raw' | 'request'>): boolean {
  const { readableEnded, errored } = request.raw.socket;
  const { code = '' } = (errored ?? {}) as NodeJS.ErrnoException;
  return !raw.writableFinished && (readableEnded || CLOSED.has(code));
}

/** Errors of a connection that the other side has closed. */
const CLOSED: ReadonlySet<string> = new Set(['ECONNRESET', 'EPIPE']);
