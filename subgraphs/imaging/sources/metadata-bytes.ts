import { Fault } from '../../../schema/fault/fault.ts';
import type { ObjectMetadata } from '../parsing/object-metadata.ts';

/** Bytes of the metadata of one answer. A study of ten thousand objects has half of this. */
export const MAX_METADATA_BYTES = 64 * 1024 * 1024;

/** Returns a function that counts the metadata of one answer: it returns each, or throws Fault `too_large`. */
export function metadataBytes(): (metadata: ObjectMetadata) => ObjectMetadata {
  let bytes = 0;
  return (metadata) => {
    if ((bytes += metadata.json.length) <= MAX_METADATA_BYTES) return metadata;
    throw tooMuchMetadata();
  };
}

/** Returns the fault for too large metadata of a study or series. */
export function tooMuchMetadata(): Fault {
  const message = `The metadata have more than ${MAX_METADATA_BYTES / 2 ** 20} MB; ask by series or instance.`;
  return new Fault('too_large', message);
}
