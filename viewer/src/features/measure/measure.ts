import List from '@lucide/svelte/icons/ruler';
import Ruler from '@lucide/svelte/icons/pencil-ruler';
import { m } from '../../messages/compiled/messages.js';
import type { Feature } from '../../ui/feature.ts';
import MeasureDialog from './MeasureDialog.svelte';
import MeasureOverlay from './MeasureOverlay.svelte';
import MeasurementsPanel from './MeasurementsPanel.svelte';
import { measurementsOf } from '../../state/stage/measurements.svelte.ts';
import { measureCommands, measureItems } from './tools.ts';

/** Measures on images: lengths, angles, regions, values and arrows with notes. */
export const measure: Feature = {
  commands: measureCommands,
  tools: (page) => [
    {
      id: 'measure',
      icon: Ruler,
      name: m.measure,
      does: {
        items: () => measureItems(page),
        note() {
          const plane = page.workspace.active.shown?.stack.reformatted;
          return plane && (plane.coarse ? m.measureNotCoarse() : m.measureNotOnPlanes());
        },
        used: () => measurementsOf(page.workspace).tool !== undefined,
        // A tool takes the focus to the image.
        keepsFocus: () => measurementsOf(page.workspace).tool !== undefined,
      },
      onPhone: true,
    },
  ],
  overlay: MeasureOverlay,
  panel: {
    id: 'measurements',
    name: m.measurements,
    command: { name: m.measurements, key: 'Shift+m' },
    icon: List,
    available: (page) => measurementsOf(page.workspace).all.length > 0,
    component: MeasurementsPanel,
  },
  printed: (page) =>
    measurementsOf(page.workspace).all.length === 0
      ? []
      : [
          {
            id: 'measurements',
            name: m.measurements(),
            load: async () => (await import('./PrintedMeasurements.svelte')).default,
          },
        ],
  dialog: MeasureDialog,
};
