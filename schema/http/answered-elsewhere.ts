/** In place of the core of routes that another process answers: their handlers are replaced. @throws Error always */
export function answeredElsewhere(): never {
  throw new Error('Another process answers this route.');
}

/** Returns what routes that another process answers are made of, which nothing reads. */
export function absentHere<T>(): T {
  // eslint-disable-next-line no-restricted-syntax -- whatever a route needs
  return undefined as never;
}
