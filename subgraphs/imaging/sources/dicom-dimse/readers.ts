/** Instances by which one reader may be behind another where there is no room for them. */
const BEHIND = 16;

/** One who reads a retrieval. */
export interface Reader {
  /** Which of the instances that arrived it is at. */
  at: number;
  leftBehind: boolean;
}

/** Who reads a retrieval, and how far they are. */
export class Readers {
  readonly #readers = new Set<Reader>();

  get count(): number {
    return this.#readers.size;
  }

  /** @param at which instance it begins with */
  enter(at: number): Reader {
    const reader: Reader = { at, leftBehind: false };
    this.#readers.add(reader);
    return reader;
  }

  leave(reader: Reader): void {
    this.#readers.delete(reader);
  }

  /** Which instance the fastest is at; 0 without a reader. */
  get foremost(): number {
    return Math.max(0, ...this.#positions);
  }

  /** Which instance the slowest is at; 0 without a reader. */
  get hindmost(): number {
    return this.count === 0 ? 0 : Math.min(...this.#positions);
  }

  /** Gives up those that are far behind the fastest. */
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
