/** The begin of the reference in a Reference, as `writeFhirJson` writes it. */
const REFERENCE = '"reference":"';
const STRING = /"[^"\\]*(?:\\.[^"\\]*)*"/y;

/**
 * Returns all literal references in a resource, contained resources included, without duplicates. It is not parsed.
 * @param json as `writeFhirJson` writes it
 */
export function referencesInText(json: string): Set<string> {
  const found = new Set<string>();
  for (let at = json.indexOf(REFERENCE); at >= 0; at = json.indexOf(REFERENCE, at)) {
    const before = json[at - 1];
    at += REFERENCE.length;
    // Any other character is part of a text.
    if (before !== '{' && before !== ',') continue;
    const text = json.slice(at, json.indexOf('"', at));
    found.add(text.includes('\\') ? escapedText(json, at) : text);
  }
  return found;
}

/** Returns the text of a string with escapes that begins at a place. */
function escapedText(json: string, at: number): string {
  STRING.lastIndex = at - 1;
  return JSON.parse(STRING.exec(json)![0]) as string;
}
