/** Tool that divides the stage: into images, or into planes through a volume. */
import Grid2x2 from '@lucide/svelte/icons/grid-2x2';
import { m } from '../../messages/compiled/messages.js';
import { itemsOf, type Feature } from '../../ui/feature.ts';

const LAYOUTS = ['layout.1x1', 'layout.1x2', 'layout.2x2', 'volume.mpr'];
/** Commands of studies with a PET, and of planes that are shown. */
const AT_TIMES = ['volume.fusion', 'volume.mip', 'volume.average', 'volume.thinner', 'volume.thicker'];

export const layout: Feature = {
  tools: (page) => [
    {
      id: 'layout',
      icon: Grid2x2,
      name: m.layout,
      does: {
        items: () => [
          ...itemsOf(page, LAYOUTS),
          ...itemsOf(page, AT_TIMES).filter(({ disabled }) => !disabled),
        ],
        used: () => itemsOf(page, ['volume.mpr', 'volume.fusion']).some(({ checked }) => checked),
      },
    },
  ],
};
