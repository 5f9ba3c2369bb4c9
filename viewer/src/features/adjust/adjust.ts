/** Tools that change how the active image lies in its place, and what is written on images. */
import RotateCcw from '@lucide/svelte/icons/rotate-ccw';
import Sliders from '@lucide/svelte/icons/sliders-horizontal';
import { m } from '../../messages/compiled/messages.js';
import { itemsOf, type Feature } from '../../ui/feature.ts';

const COMMANDS = ['zoom-in', 'zoom-out', 'fit', 'pixels', 'rotate', 'flip', 'texts', 'crosshair'].map(
  (id) => `image.${id}`,
);

export const adjust: Feature = {
  tools: (page) => [
    {
      id: 'adjust',
      icon: Sliders,
      name: m.adjust,
      does: { items: () => itemsOf(page, COMMANDS), used: () => page.workspace.crosshair.on },
    },
    { id: 'reset', icon: RotateCcw, name: m.commandReset, does: { command: 'image.reset' } },
  ],
};
