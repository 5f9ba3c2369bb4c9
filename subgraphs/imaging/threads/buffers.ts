import workerThreads from 'node:worker_threads';

/** Node 20 has no such function, nor buffers of this kind that a typed array fills. */
const { isMarkedAsUntransferable = () => false } = workerThreads as {
  isMarkedAsUntransferable?: (buffer: ArrayBuffer) => boolean;
};

/**
 * Returns the buffers in a value that can be transferred to another thread instead of copied: those that a typed array
 * fills completely, at any depth of arrays and plain objects. A part of a larger buffer is not transferred, nor one that Node
 * keeps, as those of zlib in Node 24.
 */
export function ownedBuffers(value: unknown): ArrayBuffer[] {
  const found = new Set<ArrayBuffer>();
  const visit = (part: unknown): void => {
    if (ArrayBuffer.isView(part)) {
      const { buffer, byteLength } = part;
      const isWhole = buffer instanceof ArrayBuffer && byteLength === buffer.byteLength && byteLength > 0;
      if (isWhole && !isMarkedAsUntransferable(buffer)) found.add(buffer);
    } else if (Array.isArray(part)) part.forEach(visit);
    else if (part !== null && typeof part === 'object') Object.values(part).forEach(visit);
  };
  visit(value);
  return [...found];
}
