/** The levels that are open above each other. Esc closes the last one that was opened; with none open it goes one screen back. */
export class Levels {
  #open: (() => void)[] = [];

  /** @param close ends the level @returns a function for a level that has ended in another way */
  enter(close: () => void): () => void {
    this.#open.push(close);
    return () => (this.#open = this.#open.filter((one) => one !== close));
  }

  /** @returns false if no level is open */
  closeLast(): boolean {
    const close = this.#open.pop();
    close?.();
    return close !== undefined;
  }
}
