import { Fault } from '../../../schema/fault/fault.ts';
import { takes, type MediaRange } from '../../../schema/http/media-ranges.ts';
import type { Viewport } from './image/geometry.ts';
import { isWidth, type Window, type WindowFunction } from './image/window.ts';

/** Parameters of rendering, PS3.18 §8.3.5. */
export interface Rendering {
  window?: Window;
  viewport?: Viewport;
  /** Instead of a region of the viewport: left, upper, right and lower edge as fractions of the image. */
  edges?: Edges;
  /** Quality of lossy formats, 1 to 100. */
  quality?: number;
  /** Texts to draw; with any of them the overlays of the object are burnt in, too. */
  annotation: readonly Annotation[];
}

export type Edges = readonly [left: number, upper: number, right: number, lower: number];

export type Annotation = 'patient' | 'technique' | 'overlay';

/** Maximum pixels of a side: no screen has more. */
export const MAX_SIDE = 8192;
/** A decimal number in a parameter. */
export const NUMBER = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d{1,2})?$/i;

/**
 * Parses the rendering parameters of a query; `iccprofile` is ignored, because pictures are sRGB without a profile.
 * @throws Fault `invalid_request` for a bad value; `too_large` for a viewport beyond the limit
 */
export function renderingOf(query: URLSearchParams): Rendering {
  const window = one(query, 'window');
  const viewport = one(query, 'viewport');
  const quality = one(query, 'quality');
  return {
    window: window === undefined ? undefined : windowOf(window),
    viewport: viewport === undefined ? undefined : viewportOf(viewport),
    quality: quality === undefined ? undefined : qualityOf(quality),
    annotation: annotationOf(query.getAll('annotation')),
  };
}

function one(query: URLSearchParams, name: string): string | undefined {
  const [value, ...others] = query.getAll(name);
  if (others.length > 0) throw new Fault('invalid_request', `Give ${name} once.`);
  return value;
}

function windowOf(text: string): Window {
  const [center, width, shape = 'linear', ...others] = text.split(',').map((part) => part.trim());
  const named = shape.toLowerCase().replace('_', '-') as WindowFunction;
  const numbers = [center, width].every((part) => NUMBER.test(part ?? ''));
  const known = ['linear', 'linear-exact', 'sigmoid'].includes(named);
  if (!numbers || !known || others.length > 0 || !isWidth(Number(width), named)) {
    throw new Fault(
      'invalid_request',
      'window is center,width,function: two numbers and linear (width at least 1), linear-exact or sigmoid (width above 0).',
    );
  }
  return { center: Number(center), width: Number(width), shape: named };
}

function viewportOf(text: string): Viewport {
  const parts = text.split(',').map((part) => part.trim());
  const [width, height, x = 0, y = 0, sw = 0, sh = 0] = parts.map(Number);
  const [vw, vh, ...rest] = parts;
  const size = [vw, vh].every((part) => /^[1-9]\d{0,8}$/.test(part ?? ''));
  // An empty value has its default.
  const numbers = rest.every((part) => part === '' || NUMBER.test(part));
  if (!size || !numbers || (rest.length !== 0 && rest.length !== 4) || x < 0 || y < 0) {
    throw new Fault(
      'invalid_request',
      'viewport is vw,vh or vw,vh,sx,sy,sw,sh: the size of the picture, and the region of the image in pixels (negative sw or sh mirrors).',
    );
  }
  if (width! > MAX_SIDE || height! > MAX_SIDE) {
    throw new Fault('too_large', `A viewport has at most ${MAX_SIDE} pixels a side.`);
  }
  const region = { x, y, width: sw, height: sh };
  return { width: width!, height: height!, ...(rest.length === 4 && { region }) };
}

function qualityOf(text: string): number {
  const quality = /^\d{1,3}$/.test(text) ? Number(text) : 0;
  if (quality < 1 || quality > 100)
    throw new Fault('invalid_request', 'quality is a whole number, 1 to 100.');
  return quality;
}

const ANNOTATIONS: readonly Annotation[] = ['patient', 'technique', 'overlay'];

/** Parses a list of annotations. @throws Fault `invalid_request` for an unknown one */
export function annotationOf(values: readonly string[]): Annotation[] {
  const named = values.flatMap((value) => value.split(',')).map((value) => value.trim().toLowerCase());
  const known = named.filter((value): value is Annotation => ANNOTATIONS.includes(value as Annotation));
  if (known.length < named.length) {
    throw new Fault('invalid_request', `annotation is a list of ${ANNOTATIONS.join(', ')}.`);
  }
  return known;
}

/**
 * Returns the media type that the client prefers; the first one if the client accepts any.
 * @throws Fault `not_acceptable` with the types that can be given
 */
export function negotiated<Type extends string>(accept: readonly MediaRange[], given: readonly Type[]): Type {
  for (const range of accept) {
    const found = given.find((one) => takes(range, one));
    if (found) return found;
  }
  throw new Fault('not_acceptable', `This is given as ${given.join(', ')}.`);
}
