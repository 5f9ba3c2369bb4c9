import type { Feature } from '../../ui/feature.ts';
import OverlayPlanes from './OverlayPlanes.svelte';

/** Graphics that an image brings along, such as the marks of a dose or of a biopsy. */
export const overlayPlanesFeature: Feature = { overlay: OverlayPlanes };
