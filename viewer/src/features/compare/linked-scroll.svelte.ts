import { untrack } from 'svelte';
import {
  isBeyond,
  linkedIndex,
  linkOf,
  offsetBetween,
  type Link,
} from '../../domain/series/linked-stacks.ts';
import type { Stack } from '../../domain/series/stacks.ts';
import type { Cell } from '../../state/stage/cell.svelte.ts';
import type { Workspace } from '../../state/stage/workspace.svelte.ts';

export type Pair = readonly [Cell, Cell];

/** Two cells, of which one follows when the other one is scrolled. */
export class LinkedScroll {
  linked = $state(false);
  /** Place in the second stack minus place in the first; the person makes it with the link off. */
  offset = $state(0);
  readonly #workspace: Workspace;
  #link: { stacks: readonly [Stack, Stack]; link: Link } | undefined;
  /** The images of the cells when this was called last. */
  #before: { stacks: readonly [Stack, Stack]; wanted: readonly [number, number] } | undefined;

  constructor(workspace: Workspace) {
    this.#workspace = workspace;
  }

  /** The cells of both studies, or the first two; undefined unless both show stored images. */
  get pair(): Pair | undefined {
    const { cells, besideCell: beside, study } = this.#workspace;
    const own = beside && cells.find((cell) => cell.study?.uid === study?.uid);
    const [first, second] = beside ? [own, beside] : cells;
    if (!first?.stack || !second?.stack) return undefined;
    // Planes of a volume stand in the place of the cells.
    return first.stack.reformatted || second.stack.reformatted ? undefined : [first, second];
  }

  /** The link of the pair; undefined while there is none. */
  get link(): Link | undefined {
    const { pair } = this;
    if (!pair) return undefined;
    const stacks = [pair[0].stack!, pair[1].stack!] as const;
    const isSame = this.#link?.stacks.every((stack, index) => stack === stacks[index]);
    if (!this.#link || !isSame) this.#link = { stacks, link: linkOf(...stacks) };
    return this.#link.link;
  }

  /** True if the second image is only the nearest one: its stack has none at the place of the first. */
  get isBeyond(): boolean {
    const { pair, link, offset } = this;
    if (!pair || link?.by !== 'position') return false;
    return isBeyond(link, 0, { index: pair[0].wanted, offset });
  }

  /** Links the images as they stand, or ends that. */
  toggle(): void {
    const { pair, link } = this;
    if (!pair || !link) return;
    this.linked = !this.linked;
    if (this.linked) this.offset = offsetBetween(link, pair[0].wanted, pair[1].wanted);
  }

  /** Moves one image after the other. To be called whenever an image, or a stack, is another one. */
  follow(): void {
    const { pair, link } = this;
    if (!pair || !link) return;
    const [{ stack: a, wanted: first }, { stack: b, wanted: second }] = pair;
    const before = this.#before;
    this.#before = { stacks: [a!, b!], wanted: [first, second] };
    untrack(() => {
      const [isNew, isNewToo] = [before?.stacks[0] !== a, before?.stacks[1] !== b];
      if (isNew || isNewToo) return this.#begin(pair, { link, leader: isNew && !isNewToo ? 1 : 0 });
      const [moved, movedToo] = [before?.wanted[0] !== first, before?.wanted[1] !== second];
      if (!moved && !movedToo) return;
      const isLeading = movedToo && (!moved || this.#workspace.active === pair[1]);
      this.#lead(pair, { link, leader: isLeading ? 1 : 0 });
    });
  }

  /** A stack that is new goes to the place of the other one, unless its image was named: that stays, and makes the offset. */
  #begin(pair: Pair, { link, leader }: { link: Link; leader: 0 | 1 }): void {
    const isNamed = pair[leader === 0 ? 1 : 0].placed;
    this.offset = isNamed ? offsetBetween(link, pair[0].wanted, pair[1].wanted) : 0;
    this.#lead(pair, { link, leader });
  }

  #lead(pair: Pair, { link, leader }: { link: Link; leader: 0 | 1 }): void {
    if (!this.linked) return;
    const follower = pair[leader === 0 ? 1 : 0];
    const index = linkedIndex(link, leader, { index: pair[leader].wanted, offset: this.offset });
    if (follower.wanted !== index) follower.want(index);
    this.#before = { ...this.#before!, wanted: [pair[0].wanted, pair[1].wanted] };
  }
}
