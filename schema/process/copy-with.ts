/**
 * Copies an object and sets properties of the copy. `{ ...one, more }` means the same. But V8 in Node 20 makes a hidden class
 * for each literal that begins with a spread and gets a new property then or later, and keeps it until its next full garbage
 * collection, with the objects that it reaches. So in code that runs for each request a literal begins with a property of its
 * own, or this function is used.
 */
export const copyWith = <One extends object, More extends object>(
  one: One,
  more: More,
): Omit<One, keyof More> & More => Object.assign({}, one, more);
