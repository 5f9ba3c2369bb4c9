/** Error of work whose client has left. One for all requests: a new one for each costs more than finding a frame in a file. */
export const LEFT = new DOMException('The client has left.', 'AbortError');

/** Returns true for the error of work whose client has left, also as the cause of another error. */
export function isOfLeft(error: unknown): boolean {
  return error === LEFT || (error instanceof Error && isOfLeft(error.cause));
}
