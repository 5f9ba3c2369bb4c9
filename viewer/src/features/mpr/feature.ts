/** Planes through the volume of a stack: axial, coronal and sagittal, and slabs of them. */
import type { Slab } from '../../domain/series/stacks.ts';
import { m } from '../../messages/compiled/messages.js';
import type { Command } from '../../commands/registry.ts';
import type { Page } from '../../ui/context.ts';
import type { Feature } from '../../ui/feature.ts';
import Coarse from './Coarse.svelte';
import Loading from './Loading.svelte';
import { mprOf, nextThickness, PlaneCell, switchMode, type Mpr } from './mpr.svelte.ts';
import Refused from './Refused.svelte';

export const mpr: Feature = {
  commands: ({ workspace, levels }) => {
    const planes = mprOf(workspace);
    return [openCommand(planes, { workspace, levels }), ...slabCommands(planes)];
  },
  overlay: Coarse,
  below: Refused,
  view: { shows: (cell) => cell instanceof PlaneCell && cell.mpr.phase === 'loading', component: Loading },
};

function openCommand(planes: Mpr, { workspace, levels }: Pick<Page, 'workspace' | 'levels'>): Command {
  return {
    id: 'volume.mpr',
    name: m.commandMpr,
    keys: ['m'],
    group: 'layout',
    enabled: () => planes.phase !== 'off' || workspace.active.count > 0,
    pressed: () => planes.phase !== 'off',
    run: () => {
      if (planes.phase !== 'off') return planes.close();
      void planes.open();
      if (planes.phase !== 'off') planes.onEnd(levels.enter(() => planes.close()));
    },
  };
}

function slabCommands(planes: Mpr): Command[] {
  const common = { group: 'layout', enabled: () => planes.active !== undefined } as const;
  const mode = (id: Slab['mode'], name: () => string, key: string): Command => ({
    ...common,
    id: `volume.${id}`,
    name,
    keys: [key],
    pressed: () => planes.active?.slab?.mode === id,
    run: () => planes.setSlab((slab) => switchMode(slab, id)),
  });
  const thickness = (id: string, name: () => string, [key, by]: [key: string, by: 1 | -1]): Command => ({
    ...common,
    id: `volume.${id}`,
    name,
    keys: [key],
    run: () => planes.setSlab((slab) => nextThickness(slab, by)),
  });
  return [
    mode('mip', m.commandMip, 's'),
    mode('average', m.commandAverage, 'Shift+s'),
    thickness('thinner', m.commandThinner, ['<', -1]),
    thickness('thicker', m.commandThicker, ['>', 1]),
  ];
}
