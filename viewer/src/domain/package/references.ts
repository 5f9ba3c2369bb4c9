import type { Instance } from '../instance.ts';

/** Returns the addresses of values in metadata (PS3.18 §F.2.2), but for pixels: those are in the file. */
export function referencesIn(instance: Instance): string[] {
  return Object.entries(instance).flatMap(([tag, { vr, BulkDataURI, Value = [] }]) => {
    if (BulkDataURI !== undefined) return tag.startsWith('7FE0') ? [] : [BulkDataURI];
    return vr === 'SQ' ? (Value as Instance[]).flatMap((item) => referencesIn(item ?? {})) : [];
  });
}
