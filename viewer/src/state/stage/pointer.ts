/** The tool of the first button and the first finger on images in place of the usual one: one at a time has them. */
export class Pointer {
  #end: (() => void) | undefined;

  /**
   * Takes them from what had them.
   * @param end called when something else takes them; the same function each time
   */
  take(end: () => void): void {
    const before = this.#end;
    this.#end = end;
    if (before !== end) before?.();
  }
}
