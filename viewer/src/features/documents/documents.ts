/** Reports, files, recordings and videos of a study: they take the place of images in series that have none. */
import type { Feature } from '../../ui/feature.ts';
import DocumentView from './DocumentView.svelte';
import PointedAt from './PointedAt.svelte';
import VideosBeside from './VideosBeside.svelte';

export const documents: Feature = {
  view: {
    shows: ({ stacks, instances }) => stacks.length === 0 && instances.length > 0,
    component: DocumentView,
  },
  below: VideosBeside,
  overlay: PointedAt,
};
