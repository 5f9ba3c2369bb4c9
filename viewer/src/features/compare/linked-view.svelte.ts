import { untrack } from 'svelte';
import { valueScaleOf } from '../../domain/grey/value-scale.ts';
import { sameWindow } from '../../domain/grey/window-presets.ts';
import { text, type Instance } from '../../domain/instance.ts';
import { millimetresOf, pointOn } from '../../domain/space/between-images.ts';
import { aimOf, panTo } from '../../state/stage/aim.ts';
import { zoomWithin, type Cell, type ShownImage } from '../../state/stage/cell.svelte.ts';
import type { Workspace } from '../../state/stage/workspace.svelte.ts';
import type { LinkedScroll } from './linked-scroll.svelte.ts';

/** Parts of the view that one image takes from the other. */
export const LINKED_PARTS = ['zoom', 'window', 'rotation'] as const;
export type LinkedPart = (typeof LINKED_PARTS)[number];

type Camera = Cell['camera'];

/** Cameras that differ by less are the same: pixels of the page, degrees, and parts of a zoom. */
const SAME = { pixels: 0.05, degrees: 0.01, part: 1e-4 };

/** Zoom, pan, window and rotation of two images. The one of the active cell leads: what follows never leads back. */
export class LinkedView {
  /** Switched on by the person. */
  parts = $state.raw<ReadonlySet<LinkedPart>>(new Set());
  readonly #workspace: Workspace;
  readonly #scroll: LinkedScroll;

  constructor(workspace: Workspace, scroll: LinkedScroll) {
    this.#workspace = workspace;
    this.#scroll = scroll;
  }

  toggle(part: LinkedPart): void {
    const parts = new Set(this.parts);
    if (!parts.delete(part)) parts.add(part);
    this.parts = parts;
  }

  /** True if zoom and pan are in millimetres; otherwise they are by parts of the image. */
  get inMillimetres(): boolean {
    return this.#cells?.every((cell) => millimetresOf(metadataOf(cell))) ?? false;
  }

  /** Factor from the leader's values to the follower's; undefined where they are not comparable. */
  get valueFactor(): number | undefined {
    const [leader, follower] = this.#cells ?? [];
    if (!leader || !follower) return undefined;
    const [from, to] = [metadataOf(leader), metadataOf(follower)];
    const [scale, other] = [valueScaleOf(from, leader.instances), valueScaleOf(to, follower.instances)];
    const isSame = text(from, '00080060') === text(to, '00080060') && scale.unit === other.unit;
    return isSame && scale.unit !== undefined ? scale.factor / other.factor : undefined;
  }

  /** Gives the follower what is linked. To be called whenever an image on the glass, or how it is shown, is another one. */
  follow(): void {
    const { parts } = this;
    const [leader, follower] = this.#cells ?? [];
    const [from, to] = [leader?.shown, follower?.shown];
    if (!leader || !follower || !from || !to) return;
    // Of another series than the one that is wanted.
    if (from.stack !== leader.stack || to.stack !== follower.stack) return;
    untrack(() => {
      if (parts.has('window')) this.#giveWindow(from, follower);
      const camera = this.#cameraFor(leader, follower);
      if (camera && !isSame(camera, follower.camera)) follower.setCamera(() => camera);
    });
  }

  /** The cells, the leading one first; undefined while there are no two. */
  get #cells(): readonly [Cell, Cell] | undefined {
    const { pair } = this.#scroll;
    return pair && this.#workspace.active === pair[1] ? [pair[1], pair[0]] : pair;
  }

  #giveWindow({ window, inverted }: ShownImage, follower: Cell): void {
    const factor = this.valueFactor;
    if (!window || factor === undefined) return;
    follower.setInverted(inverted);
    // A cell takes no narrower one.
    const given = { centre: window.centre * factor, width: Math.max(window.width * factor, 1) };
    if (!follower.window || !sameWindow(given, follower.window)) follower.setWindow(given);
  }

  /** Returns the follower's camera: a millimetre is as long as on the leader, and the same point is in the middle. */
  #cameraFor(leader: Cell, follower: Cell): Camera | undefined {
    const [from, to] = [leader.shown!.image.metadata, follower.shown!.image.metadata];
    const { rotation, flipped } = (this.parts.has('rotation') ? leader : follower).camera;
    const turned = { ...follower.camera, rotation, flipped };
    if (!this.parts.has('zoom')) return turned;
    const [aim, other] = [aimOf(leader), aimOf(follower)];
    // Tables of two examinations stand at other places.
    const frames = [from, to].map((image) => text(image, '00200052'));
    const isOtherFrame = !frames.includes(undefined) && frames[0] !== frames[1];
    const shared = this.#scroll.link?.by === 'position' && !isOtherFrame;
    const point = aim && pointOn(from, to, { point: aim.centre, shared });
    if (!aim || !other || !point) return undefined;
    const [mm, otherMm] = [millimetresOf(from), millimetresOf(to)];
    const factor = mm && otherMm ? (aim.fit[0] / mm[0] / other.fit[0]) * otherMm[0] : 1;
    const zoom = zoomWithin(leader.camera.zoom * factor);
    const pan = panTo(point, follower, { ...turned, zoom });
    return pan && { ...turned, zoom, pan };
  }
}

/** Returns what the image says that is wanted: its words do not wait for it. */
function metadataOf({ stack, wanted }: Cell): Instance {
  return stack?.frames[wanted]?.metadata ?? {};
}

function isSame(a: Camera, b: Camera): boolean {
  return (
    a.flipped === b.flipped &&
    Math.abs(a.rotation - b.rotation) < SAME.degrees &&
    Math.abs(a.zoom / b.zoom - 1) < SAME.part &&
    Math.hypot(a.pan[0] - b.pan[0], a.pan[1] - b.pan[1]) < SAME.pixels
  );
}
