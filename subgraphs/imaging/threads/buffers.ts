/**
 * The buffers in a value that belong to it whole, so that they can go to another thread instead of being copied: those
 * of typed arrays that fill them, at any depth of arrays and plain objects. A piece of a larger buffer is not given away.
 */
export function ownedBuffers(value: unknown): ArrayBuffer[] {
  const found = new Set<ArrayBuffer>();
  const visit = (part: unknown): void => {
    if (ArrayBuffer.isView(part)) {
      const { buffer, byteLength } = part;
      if (buffer instanceof ArrayBuffer && byteLength === buffer.byteLength && byteLength > 0)
        found.add(buffer);
    } else if (Array.isArray(part)) part.forEach(visit);
    else if (part !== null && typeof part === 'object') Object.values(part).forEach(visit);
  };
  visit(value);
  return [...found];
}
