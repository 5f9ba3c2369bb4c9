import type { FrameName } from '../study.ts';
import type { ImagePoint } from '../space/geometry.ts';

/** An image that a person marks, and how it was shown. Plain data: it can be kept as it is. */
export interface KeyImage {
  /** Study, series, SOP Instance UID and frame. */
  image: FrameName;
  /** Number of the image in its stack, from 1. */
  number: number;
  /** In rescaled values (PS3.3 §C.11.2.1.2); undefined in colour. */
  window: { centre: number; width: number } | undefined;
  inverted: boolean;
  /** Without pixels of a screen: another one shows the same. */
  camera: {
    /** 1 shows the whole image. */
    zoom: number;
    /** Degrees clockwise. */
    rotation: number;
    flipped: boolean;
    /** The point of the image in the middle of the glass. */
    centre: ImagePoint | undefined;
  };
  /** True if texts and the graphics of the image were shown. */
  overlays: boolean;
  /** Empty until the person writes one. */
  title: string;
  comment: string;
}
