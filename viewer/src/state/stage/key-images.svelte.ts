import type { KeyImage } from '../../domain/series/key-image.ts';
import { frameId, type FrameId } from '../../domain/study.ts';
import { onePer } from '../browser/one-per.ts';
import { aimOf } from './aim.ts';
import type { Cell } from './cell.svelte.ts';
import type { Workspace } from './workspace.svelte.ts';

const MOST_STEPS = 100;

/** A person's key images in their order, at most one of a frame. They are in memory alone, and go with the patient. */
export class KeyImages {
  all = $state.raw<readonly KeyImage[]>([]);
  /** Said on the image of the active cell until another one is shown. */
  said = $state('');
  /** The cell that goes to a key image. */
  opening = $state.raw<{ cell: Cell; key: KeyImage }>();
  #past = $state.raw<readonly (readonly KeyImage[])[]>([]);

  get canUndo(): boolean {
    return this.#past.length > 0;
  }

  /** Returns the place of a frame's key image, from 0; -1 if it is not marked. */
  indexOf(frame: FrameId | undefined): number {
    return this.all.findIndex(({ image }) => frameId(image) === frame);
  }

  add(added: KeyImage): void {
    this.#set([...this.all, added]);
  }

  /** Adds those of images that are not marked yet, in one step. @returns how many these are */
  restore(found: readonly KeyImage[]): number {
    const added = found.filter(({ image }) => this.indexOf(frameId(image)) < 0);
    if (added.length > 0) this.#set([...this.all, ...added]);
    return added.length;
  }

  /** Replaces the key image of the same frame. */
  change(changed: KeyImage): void {
    const frame = frameId(changed.image);
    this.#set(this.all.map((one) => (frameId(one.image) === frame ? changed : one)));
  }

  remove(frame: FrameId): void {
    this.#set(this.all.filter(({ image }) => frameId(image) !== frame));
  }

  /** Moves a key image up or down; at the end of the list it stays. */
  move(frame: FrameId, by: -1 | 1): void {
    const at = this.indexOf(frame);
    const other = this.all[at + by];
    if (other) this.#set(this.all.with(at + by, this.all[at]!).with(at, other));
  }

  undo(): void {
    this.all = this.#past.at(-1) ?? this.all;
    this.#past = this.#past.slice(0, -1);
  }

  /** Forgets all, for instance for another patient. */
  clear(): void {
    this.all = this.#past = [];
    this.opening = undefined;
    this.said = '';
  }

  #set(all: readonly KeyImage[]): void {
    this.#past = [...this.#past, this.all].slice(-MOST_STEPS);
    this.all = all;
  }
}

/** Returns the key images of a stage. */
export const keyImagesOf = onePer((_workspace: Workspace) => new KeyImages());

/** Returns the image of a cell as it is shown; undefined without one, and for a computed plane, which no archive has. */
export function imageAsShown(cell: Cell, overlays: boolean): KeyImage | undefined {
  const { shown } = cell;
  if (!shown || shown.stack.reformatted) return undefined;
  const { zoom, rotation, flipped } = shown.camera;
  return {
    image: shown.image.name,
    number: shown.index + 1,
    window: shown.window,
    inverted: shown.inverted,
    camera: { zoom, rotation, flipped, centre: aimOf(cell)?.centre },
    overlays,
    title: '',
    comment: '',
  };
}
