/** Reference lines between images of one patient, and a crosshair that brings all of them to one point. */
import type { Feature } from '../../ui/feature.ts';
import { m } from '../../messages/compiled/messages.js';
import Lines from './Lines.svelte';

export const reference: Feature = {
  commands: ({ workspace: { crosshair } }) => [
    {
      id: 'image.crosshair',
      name: m.commandCrosshair,
      keys: ['x'],
      group: 'image',
      pressed: () => crosshair.on,
      run: () => (crosshair.on = !crosshair.on),
    },
  ],
  overlay: Lines,
};
