/** A PET over planes of a CT or an MR that was taken in the same position of the patient. */
import { m } from '../../../messages/compiled/messages.js';
import type { Feature } from '../../../ui/feature.ts';
import Fused from './Fused.svelte';
import FusionBar from './FusionBar.svelte';
import { fusionOf } from './fusion.svelte.ts';

export const fusion: Feature = {
  commands: ({ workspace, levels }) => {
    const fused = fusionOf(workspace);
    return [
      {
        id: 'volume.fusion',
        name: m.commandFusion,
        group: 'layout',
        enabled: () => fused.phase !== 'off' || fused.possible,
        pressed: () => fused.phase !== 'off',
        run: () => (fused.phase === 'off' ? void fused.open(levels) : fused.close()),
      },
    ];
  },
  overlay: Fused,
  below: FusionBar,
};
