import type { Trouble } from '../../data/trouble.ts';
import type { Instance } from '../../domain/instance.ts';
import type { Colour } from '../../domain/overlays/cielab.ts';
import {
  headerOf,
  isOfOtherPatient,
  misplaced,
  type Header,
  type Misplaced,
} from '../../domain/overlays/header.ts';
import type { Content, Look, Part, Reader, Refusal, Shape } from '../../domain/overlays/overlay.ts';
import type { Target } from '../../domain/overlays/target.ts';
import { troubleOf } from '../../state/browser/trouble-of.ts';

/** A part of an overlay on an image. */
export interface Layer {
  row: Row;
  part: Part;
}

/** Images whose shapes are kept, of all parts together. */
const KEPT_SHAPES = 400;
/** Of areas: the image is seen through them. */
const FILL_OPACITY = 0.2;

/** An overlay with what a person has set: a row of the list. */
export class Row {
  readonly instance: Instance;
  readonly reader: Reader;
  readonly header: Header;
  /** UID of its study. */
  readonly study: string;
  /** Its eye. */
  shown = $state(true);
  /** From 0 to 1: of what is filled in a segmentation or a structure set, of all else in others. */
  opacity = $state(1);
  hidden = $state.raw<ReadonlySet<string>>(new Set());
  /** Those that a person has chosen, by id of the part. */
  colours = $state.raw<Readonly<Record<string, Colour>>>({});
  content = $state.raw<Content>();
  /** Why it has no content. */
  refused = $state.raw<Refusal>();
  trouble = $state.raw<Trouble>();
  /** From 0 to 1 while it is being loaded. */
  progress = $state<number>();
  #asked = false;
  readonly #pixels: (onProgress: (part: number) => void) => Promise<Uint8Array>;
  readonly #shapes = new Map<string, readonly Shape[]>();

  constructor(
    of: { instance: Instance; reader: Reader; study: string },
    pixels: (onProgress: (part: number) => void) => Promise<Uint8Array>,
  ) {
    ({ instance: this.instance, reader: this.reader, study: this.study } = of);
    this.header = headerOf(of.instance);
    this.#pixels = pixels;
    this.shown = !of.reader.offAtStart;
    this.opacity = this.isFilled ? FILL_OPACITY : 1;
  }

  get isFilled(): boolean {
    return this.reader.kind === 'segmentation' || this.reader.kind === 'structures';
  }

  /** True once, when it is to be loaded. */
  get isNew(): boolean {
    return !this.#asked;
  }

  /** Asks for its content. It never throws. */
  async load(): Promise<void> {
    if (this.#asked) return;
    this.#asked = true;
    this.trouble = undefined;
    try {
      const pixels = () => {
        this.progress = 0;
        return this.#pixels((part) => (this.progress = part));
      };
      const reading = await this.reader.read(this.instance, pixels);
      if ('refused' in reading) this.refused = reading.refused;
      else this.content = reading.content;
    } catch (error) {
      this.trouble = troubleOf(error);
    }
    this.progress = undefined;
  }

  /** Lets it be loaded once more after a failure. */
  again(): void {
    this.#asked = false;
    this.trouble = undefined;
  }

  colourOf(part: Part): Colour {
    return this.colours[part.id] ?? part.colour;
  }

  toggle(part: Part): void {
    const hidden = new Set(this.hidden);
    if (!hidden.delete(part.id)) hidden.add(part.id);
    this.hidden = hidden;
  }

  /** Lets a part be drawn. */
  reveal(part: Part): void {
    this.shown = true;
    if (this.hidden.has(part.id)) this.toggle(part);
  }

  /** Returns why it is not on an image; undefined if it may be, and while nobody knows. */
  misplacedOn(target: Target): Misplaced | undefined {
    if (this.content) return misplaced(this.instance, this.content, target);
    return isOfOtherPatient(this.instance, target.metadata) ? 'other-patient' : undefined;
  }

  layersOn(target: Target): Layer[] {
    if (!this.shown || !this.content || this.misplacedOn(target)) return [];
    return this.content.parts.filter(({ id }) => !this.hidden.has(id)).map((part) => ({ row: this, part }));
  }

  /** Returns how it wants an image to be shown, while it is on. */
  lookOn(target: Target): Look | undefined {
    return this.shown && !this.misplacedOn(target) ? this.content?.lookOn?.(target) : undefined;
  }

  shapesOn(target: Target, part: Part): readonly Shape[] {
    const key = `${target.id} ${part.id}`;
    const known = this.#shapes.get(key);
    if (known) return known;
    const shapes = this.content?.shapesOn(target, part) ?? [];
    if (this.#shapes.size >= KEPT_SHAPES) this.#shapes.delete(this.#shapes.keys().next().value!);
    this.#shapes.set(key, shapes);
    return shapes;
  }
}
