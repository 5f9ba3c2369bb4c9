import List from '@lucide/svelte/icons/ruler';
import { m } from '../../messages/compiled/messages.js';
import type { Feature } from '../../ui/feature.ts';
import MeasureDialog from './MeasureDialog.svelte';
import MeasureMenu from './MeasureMenu.svelte';
import MeasureOverlay from './MeasureOverlay.svelte';
import MeasurementsPanel from './MeasurementsPanel.svelte';
import { measurementsOf } from './measurements-of.ts';
import { measureCommands } from './tools.ts';

/** Measures on images: lengths, angles, regions, values and arrows with notes. */
export const measure: Feature = {
  commands: measureCommands,
  tools: MeasureMenu,
  overlay: MeasureOverlay,
  panel: {
    id: 'measurements',
    name: m.measurements,
    command: { name: m.measurements, key: 'Shift+m' },
    icon: List,
    available: (page) => measurementsOf(page).all.length > 0,
    component: MeasurementsPanel,
  },
  dialog: MeasureDialog,
};
