/** Suggestions for names that are not known: the nearest one by edit distance. */

/** Characters of a name that are compared: the work for one comparison is the product of both lengths. */
const MAX_LENGTH = 64;

/** Returns the name that takes the fewest edits to become `wanted`; the first of several; undefined without names. */
export function nearestName(wanted: string, names: Iterable<string>): string | undefined {
  const text = wanted.slice(0, MAX_LENGTH).toLowerCase();
  let nearest: string | undefined;
  let fewest = Infinity;
  for (const name of names) {
    const edits = editDistance(text, name.toLowerCase());
    if (edits >= fewest) continue;
    nearest = name;
    fewest = edits;
  }
  return nearest;
}

/** Number of characters to insert, remove or replace (Levenshtein 1965). */
function editDistance(a: string, b: string): number {
  let above = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let row = 1; row <= a.length; row++) {
    const line = [row];
    for (let column = 1; column <= b.length; column++) {
      const replaced = above[column - 1]! + (a[row - 1] === b[column - 1] ? 0 : 1);
      line.push(Math.min(replaced, above[column]! + 1, line[column - 1]! + 1));
    }
    above = line;
  }
  return above.at(-1)!;
}

/** Returns a name of the client's in quotes; what is no plain name is not repeated. */
export function quotedName(name: string): string {
  return /^[\w.:-]{1,64}$/.test(name) ? `"${name}"` : 'a name of this request';
}
