/** Number of instances by which a reader may be behind the fastest when there is no room. */
const BEHIND = 16;

/** A reader of a retrieval. */
export interface Reader {
  /** Index of its current instance, in the order of arrival. */
  at: number;
  leftBehind: boolean;
}

/** The readers of a retrieval, and their positions. */
export class Readers {
  readonly #readers = new Set<Reader>();

  get count(): number {
    return this.#readers.size;
  }

  /** Adds a reader. @param at index of its first instance */
  enter(at: number): Reader {
    const reader: Reader = { at, leftBehind: false };
    this.#readers.add(reader);
    return reader;
  }

  leave(reader: Reader): void {
    this.#readers.delete(reader);
  }

  /** Index of the fastest reader; 0 without a reader. */
  get foremost(): number {
    return Math.max(0, ...this.#positions);
  }

  /** Index of the slowest reader; 0 without a reader. */
  get hindmost(): number {
    return this.count === 0 ? 0 : Math.min(...this.#positions);
  }

  /** Removes readers that are far behind the fastest. */
  leaveBehind(): void {
    const { foremost } = this;
    for (const reader of this.#readers) {
      if (foremost - reader.at <= BEHIND) continue;
      reader.leftBehind = true;
      this.#readers.delete(reader);
    }
  }

  get #positions(): number[] {
    return [...this.#readers].map(({ at }) => at);
  }
}
