/** Objects of an archive that are drawn over images: segmentations, structure sets and others. */
import Diamond from '@lucide/svelte/icons/diamond';
import { m } from '../../messages/compiled/messages.js';
import type { Feature } from '../../ui/feature.ts';
import Drawn from './Drawn.svelte';
import { overlaysOf } from './overlays.svelte.ts';
import OverlaysPanel from './OverlaysPanel.svelte';

/** It stands before all other features: what they draw is above it, also where a shutter covers the image. */
export const drawnOverlays: Feature = { overlay: Drawn };

export const overlays: Feature = {
  commands: ({ workspace }) => {
    const all = overlaysOf(workspace);
    return [
      {
        id: 'overlays.show',
        name: m.commandOverlays,
        keys: ['o'],
        group: 'image',
        enabled: () => all.all.length > 0,
        pressed: () => !all.hidden,
        run: () => (all.hidden = !all.hidden),
      },
    ];
  },
  tools: ({ workspace }) => [
    {
      id: 'overlays',
      icon: Diamond,
      name: () => m.overlaysCount({ count: overlaysOf(workspace).all.length }),
      value: () => String(overlaysOf(workspace).all.length),
      does: { command: 'panel.overlays' },
      available: () => overlaysOf(workspace).any,
    },
  ],
  panel: {
    id: 'overlays',
    name: m.overlays,
    command: { name: m.commandOverlayList, key: 'Shift+o' },
    icon: Diamond,
    available: ({ workspace }) => overlaysOf(workspace).any,
    component: OverlaysPanel,
  },
};
