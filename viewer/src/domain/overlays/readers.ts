/** All kinds of overlays. A new one is added here, and nowhere else. */
import { text, type Instance } from '../instance.ts';
import { keyObjects } from './key-objects.ts';
import type { OverlayKind, Reader } from './overlay.ts';
import { presentationState } from './presentation-state.ts';
import { segmentations } from './segmentation.ts';
import { reportRegions } from './sr-coordinates.ts';
import { structures } from './structures.ts';

const READERS: readonly Reader[] = [segmentations, structures, presentationState, keyObjects, reportRegions];

/** Returns the reader of an object; undefined for one that is no overlay. */
export function readerOf(instance: Instance): Reader | undefined {
  const sopClass = text(instance, '00080016') ?? '';
  return READERS.find(({ sopClasses, has }) => sopClasses.includes(sopClass) && (has?.(instance) ?? true));
}

/** Returns the kind of overlays that a series may have; undefined for one that has none. */
export function kindOf({ modality }: { modality: string }): OverlayKind | undefined {
  return READERS.find((reader) => reader.modality === modality)?.kind;
}
