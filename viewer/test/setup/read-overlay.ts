import type { Instance } from '../../src/domain/instance.ts';
import type { Content, Reader } from '../../src/domain/overlays/overlay.ts';

/** Returns the content of an object without pixels. */
export function contentOf(reader: Reader, instance: Instance): Content {
  const reading = reader.read(instance, () => Promise.reject(new Error('no pixels')));
  if (reading instanceof Promise || 'refused' in reading) throw new Error('not read');
  return reading.content;
}
