/**
 * Returns the loaded image that is nearest to the wanted one; undefined if none is loaded.
 * @param wanted from 0
 * @param count images in the stack
 */
export function nearestLoaded(
  wanted: number,
  count: number,
  isLoaded: (index: number) => boolean,
): number | undefined {
  for (let distance = 0; distance < count; distance++) {
    for (const index of [wanted + distance, wanted - distance]) {
      if (index >= 0 && index < count && isLoaded(index)) return index;
    }
  }
  return undefined;
}
