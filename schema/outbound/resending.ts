/** What Node and undici call a connection that ended while it was used. */
const ENDED = new Set(['UND_ERR_SOCKET', 'ECONNRESET', 'EPIPE']);

/**
 * Sends a request that may be repeated, and once more where its connection ended before the answer began: a kept one may
 * be closed by the other side just when it is used again (RFC 9112 §9.3.1).
 * @throws what `send` throws, the second time or at once
 */
export async function resending<T>(send: () => Promise<T>): Promise<T> {
  try {
    return await send();
  } catch (error) {
    // `fetch` tells the code in the cause of its own error.
    const { code, cause } = error as { code?: string; cause?: { code?: string } };
    if (!ENDED.has(code ?? cause?.code ?? '')) throw error;
    return send();
  }
}
