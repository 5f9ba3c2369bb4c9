/** Milliseconds for the connections of clients. They end clients that hold connections by sending slowly or nothing. */
export interface ConnectionTimeouts {
  /** From the first byte of a request, or the begin of a connection, to the end of the request's headers. */
  headers: number;
  /** From there to the end of the request's body. */
  request: number;
  /** Without a request, after the last answer. */
  idle: number;
  /** Between two checks of the first two; they may be exceeded by this. */
  check: number;
}

/**
 * `idle` is above the 60 s after which usual balancers close their connections: if we closed first, a request that a
 * balancer just sends would be lost.
 */
export const CONNECTION_TIMEOUTS: ConnectionTimeouts = {
  headers: 20_000,
  request: 60_000,
  idle: 75_000,
  check: 5_000,
};
