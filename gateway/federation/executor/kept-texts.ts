/** Characters that are kept; then all are forgotten. An object that is collected takes its texts with it. */
const MOST = 32_000_000;

/** The text of an object. */
export interface KeptText {
  text: string;
  /** Fields that its lists have charged to the budget of the answer. */
  charged: number;
}

/** Memory for the texts of all selections. */
export class TextMemory {
  #characters = 0;
  /** Counts how often everything was forgotten. */
  generation = 0;

  take(characters: number): void {
    this.#characters += characters;
    if (this.#characters <= MOST) return;
    this.#characters = 0;
    this.generation++;
  }
}

/**
 * Texts of the objects of one selection, each kept as long as its object: new facts come as a new object, and what a caller
 * may see was decided before there was an object. Only frozen objects are taken: others belong to one request.
 */
export class KeptTexts {
  readonly #memory: TextMemory;
  #generation = 0;
  #texts = new WeakMap<object, KeptText>();

  constructor(memory: TextMemory) {
    this.#memory = memory;
  }

  of(source: object): KeptText | undefined {
    return this.#generation === this.#memory.generation ? this.#texts.get(source) : undefined;
  }

  keep(source: object, kept: KeptText): void {
    // A record may have a text where an object belongs: it counts as frozen.
    if (typeof source !== 'object' || !Object.isFrozen(source)) return;
    this.#memory.take(kept.text.length);
    if (this.#generation !== this.#memory.generation) {
      this.#generation = this.#memory.generation;
      this.#texts = new WeakMap();
    }
    this.#texts.set(source, kept);
  }
}
