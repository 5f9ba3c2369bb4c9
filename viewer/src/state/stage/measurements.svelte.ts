import type { ImagePoint } from '../../domain/space/geometry.ts';
import type { Kind } from '../../domain/measure/kinds.ts';
import type { Measurement } from '../../domain/measure/measurement.ts';
import type { FrameId } from '../../domain/study.ts';
import { onePer } from '../browser/one-per.ts';
import type { Pointer } from './pointer.ts';
import type { Workspace } from './workspace.svelte.ts';

/** A measurement on its way: the points that are set, and the one that still moves. */
export interface Draft {
  frame: FrameId;
  points: readonly ImagePoint[];
  moving: ImagePoint | undefined;
}

const MOST_STEPS = 100;

/** A person's measurements on this page. They are in memory alone, and go with the patient. */
class Measurements {
  all = $state.raw<readonly Measurement[]>([]);
  /** Id of the measurement whose points can be moved. */
  selected = $state<string>();
  /** The tool that takes pointers and keys on the image. */
  tool = $state<Kind>();
  draft = $state.raw<Draft>();
  /** Id of the arrow whose note is being written. */
  noting = $state<string>();
  /** Read to people who do not see the image. */
  said = $state('');
  #past = $state.raw<readonly (readonly Measurement[])[]>([]);
  #future = $state.raw<readonly (readonly Measurement[])[]>([]);
  /** The subject of the last change: further ones of the same are one step of undo. */
  #joined: string | undefined;
  readonly #pointer: Pointer;

  constructor(pointer: Pointer) {
    this.#pointer = pointer;
  }

  get canUndo(): boolean {
    return this.#past.length > 0;
  }

  get canRedo(): boolean {
    return this.#future.length > 0;
  }

  /** Begins a tool, or ends it. */
  use(tool: Kind | undefined): void {
    this.draft = undefined;
    this.selected = undefined;
    this.tool = tool;
    if (tool) this.#pointer.take(this.#end);
  }

  readonly #end = (): void => {
    if (this.tool) this.use(undefined);
  };

  /** Adds a measurement and selects it; its tool ends. */
  add(measurement: Measurement): void {
    this.use(undefined);
    this.#set([...this.all, measurement]);
    this.selected = measurement.id;
    if (measurement.kind === 'arrow') this.noting = measurement.id;
  }

  /**
   * Replaces a measurement.
   * @param joins names what changes: changes of the same name, one after the other, are undone together
   */
  change(measurement: Measurement, joins?: string): void {
    const all = this.all.map((one) => (one.id === measurement.id ? measurement : one));
    const joined = joins && `${measurement.id} ${joins}`;
    if (joined && joined === this.#joined) this.all = all;
    else this.#set(all);
    this.#joined = joined;
  }

  /** Adds those that are not there yet, in one step. @returns how many these are */
  restore(found: readonly Measurement[]): number {
    const added = found.filter(({ id }) => this.all.every((one) => one.id !== id));
    if (added.length > 0) this.#set([...this.all, ...added]);
    return added.length;
  }

  remove(id: string): void {
    if (!this.all.some((one) => one.id === id)) return;
    this.#set(this.all.filter((one) => one.id !== id));
    this.#deselectMissing();
  }

  undo(): void {
    const before = this.#past.at(-1);
    if (!before) return;
    this.#future = [...this.#future, this.all];
    this.#past = this.#past.slice(0, -1);
    this.#restore(before);
  }

  redo(): void {
    const after = this.#future.at(-1);
    if (!after) return;
    this.#past = [...this.#past, this.all];
    this.#future = this.#future.slice(0, -1);
    this.#restore(after);
  }

  /** Forgets all, for instance for another patient. */
  clear(): void {
    this.all = this.#past = this.#future = [];
    this.selected = this.tool = this.draft = this.noting = this.#joined = undefined;
    this.said = '';
  }

  #set(all: readonly Measurement[]): void {
    this.#past = [...this.#past, this.all].slice(-MOST_STEPS);
    this.#future = [];
    this.#joined = undefined;
    this.all = all;
  }

  #restore(all: readonly Measurement[]): void {
    this.#joined = undefined;
    this.all = all;
    this.#deselectMissing();
  }

  #deselectMissing(): void {
    const isThere = (id: string | undefined) => this.all.some((one) => one.id === id);
    if (!isThere(this.selected)) this.selected = undefined;
    if (!isThere(this.noting)) this.noting = undefined;
  }
}

/** Returns the measurements on a workspace. */
export const measurementsOf = onePer(({ pointer }: Workspace) => new Measurements(pointer));
