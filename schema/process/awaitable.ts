/**
 * A value that is here, or comes later. Functions that mostly have their value at hand return this: a promise costs each of
 * them as much as the rest of their work. `await` takes both.
 */
export type Awaitable<T> = T | Promise<T>;

/** Goes on with a value: at once if it is here. */
export function andThen<T, R>(value: Awaitable<T>, next: (value: T) => Awaitable<R>): Awaitable<R> {
  return value instanceof Promise ? value.then(next) : next(value);
}

/** Does the work of each item, and returns all values: at once if all are here. */
export function allOf<T, R>(items: readonly T[], work: (item: T) => Awaitable<R>): Awaitable<readonly R[]> {
  const values = items.map((item) =>
    orElse(
      () => work(item),
      // Not thrown here: what other items have promised may fail too, and nobody would be told.
      (error) => Promise.reject<R>(error as Error),
    ),
  );
  return values.some((value) => value instanceof Promise) ? Promise.all(values) : (values as R[]);
}

/** Does work, and something else where it fails. */
export function orElse<T, R>(
  work: () => Awaitable<T>,
  recover: (error: unknown) => Awaitable<R>,
): Awaitable<T | R> {
  try {
    const value = work();
    return value instanceof Promise ? value.catch(recover) : value;
  } catch (error) {
    return recover(error);
  }
}

/** Does work, and then, whether it fails or not, the last step. */
export function lastly<T>(work: () => Awaitable<T>, last: () => void): Awaitable<T> {
  let isLater = false;
  try {
    const value = work();
    isLater = value instanceof Promise;
    return value instanceof Promise ? value.finally(last) : value;
  } finally {
    if (!isLater) last();
  }
}
