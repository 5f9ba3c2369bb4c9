/**
 * Objects of an archive that are drawn over images: segmentations, structure sets, presentation states, key objects,
 * measurements of reports. A kind of object has a `Reader`; `readers.ts` lists them by SOP class, and the page knows no kind
 * by name. To add one: write a reader that returns a `Content`, and add it to that list. A reader is given metadata, and is
 * asked for the shapes on one image at a time, in the pixels of that image: `target.ts` brings points in millimetres there.
 */
import type { Instance } from '../instance.ts';
import type { ImagePoint } from '../space/geometry.ts';
import type { Colour } from './cielab.ts';
import type { Target } from './target.ts';

export type OverlayKind = 'segmentation' | 'structures' | 'presentation' | 'key-objects' | 'report';

export interface Reader {
  kind: OverlayKind;
  /** SOP Class UIDs. */
  sopClasses: readonly string[];
  /** Modality of the series in which such objects are. */
  modality: string;
  /** Returns false for an object of these classes that has nothing to draw; it is no overlay then. */
  has?: (instance: Instance) => boolean;
  /** True for what is drawn only when somebody asks for it. */
  offAtStart?: boolean;
  /**
   * Reads an object. It is called when the overlay is to be drawn for the first time, and never for that of another patient.
   * @param instance its metadata, as the archive gave them
   * @param pixels asks for the value of Pixel Data; throws Trouble
   * @returns why it is not drawn, in place of an exception, whatever the object has
   */
  read(instance: Instance, pixels: () => Promise<Uint8Array>): Reading | Promise<Reading>;
}

export type Reading = { content: Content } | { refused: Refusal };

/**
 * Why an object is not drawn: it has nothing to draw, or too many parts; it contradicts itself; it has fewer bytes than it
 * says; it says nowhere where it belongs; it takes more memory than a browser has.
 */
export type Refusal = 'empty' | 'too-many-parts' | 'contradictory' | 'cut' | 'without-place' | 'too-large';

export interface Content {
  /** Segments, regions of interest, layers, measurements: each can be hidden, in this order. */
  parts: readonly Part[];
  /** UIDs of the frames of reference in which it has a place. */
  framesOfReference: ReadonlySet<string>;
  /** SOP Instance UIDs of the images to which it refers. */
  instances: ReadonlySet<string>;
  /** True if its parts are either on images or in frames of reference, and each looks after its own place. */
  mixed?: true;
  /**
   * Returns what a part has on an image, from the bottom to the top. It is called part by part, between which the page can
   * answer: one call takes milliseconds. What it has returned once for a target is kept by the page.
   */
  shapesOn(target: Target, part: Part): readonly Shape[];
  /** Returns how a presentation state wants an image to be shown; undefined for an image that it does not mean. */
  lookOn?: (target: Target) => Look | undefined;
  /** Parts of the object that are not drawn: its row names them. */
  undone?: readonly Undone[];
  /** Images of other studies to which it refers. */
  elsewhere?: number;
}

/** A view of an image, as a presentation state wants it. */
export interface Look {
  /** Of the values that the image has; undefined for its own. */
  window?: { centre: number; width: number };
  /** Black and white have other places than the image says. */
  inverted: boolean;
  /** Degrees clockwise, after the image was mirrored from left to right if `flipped`. */
  rotation: number;
  flipped: boolean;
  /** The part of the image that fills the view, by its outer edges; undefined for the whole image. */
  area?: { least: ImagePoint; most: ImagePoint };
  /** Pixels of the page for one of the image, where the area is not fitted in. */
  magnification?: number;
  /** The part of the image that each shutter leaves open; the rest is covered. */
  shutters: readonly Line[];
  shutterColour: Colour;
}

/** Parts of a presentation state, or of a report, that are not drawn; `broken`: shapes that cannot be read. */
export type Undone =
  | 'modality-table'
  | 'window-table'
  | 'window-curve'
  | 'grey-table'
  | 'colour-table'
  | 'bitmap-shutter'
  | 'true-size'
  | 'overlay-plane'
  | 'subtraction'
  | 'compound'
  | 'ellipsoid'
  | 'broken';

export interface Part {
  /** Unique in its object. */
  id: string;
  name: string;
  colour: Colour;
}

/** A figure on an image. Points are columns and rows of its pixels, 0/0 the centre of the first. */
export type Shape =
  /** The points within an odd number of the rings: an inner ring is a hole. Outlined, and filled lightly. */
  | { kind: 'area'; rings: readonly Line[] }
  /** Opacities of pixels by rows, 0 to 255. `matrix` brings the corners of their pixels to the image, as in SVG. */
  | { kind: 'mask'; columns: number; rows: number; opacities: Uint8Array; matrix: Matrix }
  /** Filled if it says so; `closed` adds the line back to its beginning. */
  | { kind: 'line'; points: Line; closed?: boolean; filled?: boolean }
  | { kind: 'point'; at: ImagePoint }
  /** The centre, and a point on the circle. */
  | { kind: 'circle'; centre: ImagePoint; edge: ImagePoint; filled?: boolean }
  /** Ends of one axis, and of the other (PS3.3 §C.10.5.1.2). */
  | { kind: 'ellipse'; ends: readonly [ImagePoint, ImagePoint, ImagePoint, ImagePoint]; filled?: boolean }
  /** Begins at a point, or is in the middle of it; a thin line leads to `pointsTo`. Lines are separated by `\n`. */
  | { kind: 'text'; text: string; at: ImagePoint; middle?: boolean; pointsTo?: ImagePoint }
  /** Words beside a figure, wherever there is room. */
  | { kind: 'label'; text: string; of: Line }
  /** The image as a whole: crossed out, or marked by a star, with words in its corner. */
  | { kind: 'crossed' | 'star'; text?: string };

export type Line = readonly ImagePoint[];

/** a, b, c, d, e, f of SVG: x = a·column + c·row + e, y = b·column + d·row + f. */
export type Matrix = readonly [number, number, number, number, number, number];
