/** Error codes of Node and undici for a connection that ended while it was used. */
const ENDED = new Set(['UND_ERR_SOCKET', 'ECONNRESET', 'EPIPE']);

/**
 * Sends an idempotent request, and sends it once more when its connection ended before the answer began: the server may
 * close an idle connection just when it is used again (RFC 9112 §9.3.1).
 * @throws the error of the second attempt, or another error of the first
 */
export async function resending<T>(send: () => Promise<T>): Promise<T> {
  try {
    return await send();
  } catch (error) {
    if (!connectionEnded(error)) throw error;
    return send();
  }
}

/** Tells whether a request failed because its connection ended. */
export function connectionEnded(error: unknown): boolean {
  // `fetch` has the code in the cause of its error.
  const { code, cause } = error as { code?: string; cause?: { code?: string } };
  return ENDED.has(code ?? cause?.code ?? '');
}
