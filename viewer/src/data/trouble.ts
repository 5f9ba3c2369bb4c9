/**
 * A failure of a request, as the user has to know it. Every error of a source is one of these; the words for it
 * are in the messages, by `kind`.
 */
export type TroubleKind =
  /** The network does not answer. */
  | 'offline'
  /** The session has ended, and could not be renewed. */
  | 'signed-out'
  /** The server refuses this (403). */
  | 'refused'
  /** There is no such thing here (404, 410). */
  | 'not-found'
  /** The server cannot answer now (429, 503, 504): `retryAfter` says when to try again. */
  | 'busy'
  /** The server failed (any other 4xx or 5xx). */
  | 'server'
  /** The stored object is larger than the server's limit, which whoever runs it can raise. */
  | 'too-large'
  /** The answer came, and is not what was asked for: a wrong length, no JSON, another media type. */
  | 'damaged'
  /** The bytes are right, and this browser cannot decode them. */
  | 'undecodable'
  /** The browser's graphics have stopped: what is on the screen may be old, or nothing. */
  | 'graphics'
  /** This device has too little memory for it. */
  | 'memory';

export class Trouble extends Error {
  readonly kind: TroubleKind;
  /** HTTP status, where there was an answer. */
  readonly status: number | undefined;
  /** Milliseconds. */
  readonly retryAfter: number | undefined;

  /** @param detail for a developer; the user sees the words for `kind` */
  constructor(
    kind: TroubleKind,
    detail: string,
    { status, retryAfter, cause }: { status?: number; retryAfter?: number; cause?: unknown } = {},
  ) {
    super(detail, { cause });
    this.name = 'Trouble';
    this.kind = kind;
    this.status = status;
    this.retryAfter = retryAfter;
  }

  /** True if the same request may succeed later without the user's help. */
  get passes(): boolean {
    return this.kind === 'offline' || this.kind === 'busy';
  }
}
