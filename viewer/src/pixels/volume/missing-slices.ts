import type { Volume } from './reformat.ts';

/** The slices of a volume that are there; each of the others gets the values of the nearest one. */
export class Slices {
  /** The slice whose values each one has: itself when it is there; -1 while it has none. */
  readonly #from: Int32Array;

  constructor(count: number) {
    this.#from = new Int32Array(count).fill(-1);
  }

  /** Says that a slice has its own values now. */
  add(at: number): void {
    this.#from[at] = at;
  }

  /** Copies values into missing slices, as far as a nearer one has come since. Of two that are as near it takes the first. */
  fill({ voxels, size }: Volume): void {
    const from = this.#from;
    const length = size[0] * size[1];
    const there = [...from.keys()].filter((at) => from[at] === at);
    if (there.length === 0 || there.length === from.length) return;
    for (let at = 0, next = 0; at < from.length; at++) {
      while (next + 1 < there.length && there[next + 1]! - at < Math.abs(at - there[next]!)) next++;
      const nearest = there[next]!;
      if (from[at] === nearest) continue;
      voxels.copyWithin(at * length, nearest * length, (nearest + 1) * length);
      from[at] = nearest;
    }
  }
}
