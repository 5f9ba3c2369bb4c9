/** Planes through the volume of a stack: axial, coronal and sagittal, and slabs of them. */
import { m } from '../../messages/compiled/messages.js';
import type { Command } from '../../commands/registry.ts';
import type { Page } from '../../ui/context.ts';
import type { Feature } from '../../ui/feature.ts';
import Loading from './Loading.svelte';
import { mprOf, nextThickness, PlaneCell, switchMode, type Mpr } from './mpr.svelte.ts';
import Refused from './Refused.svelte';
import Tools from './Tools.svelte';

export const mpr: Feature = {
  commands: ({ workspace, levels }) => {
    const planes = mprOf(workspace);
    return [openCommand(planes, { workspace, levels }), ...slabCommands(planes)];
  },
  tools: Tools,
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
  const command = (
    id: string,
    name: () => string,
    rest: Pick<Command, 'run' | 'pressed'> & { key: string },
  ) => {
    const { key, ...others } = rest;
    const of: Command = {
      id,
      name,
      keys: [key],
      group: 'layout',
      enabled: () => planes.active !== undefined,
      ...others,
    };
    return of;
  };
  return [
    command('volume.mip', m.commandMip, {
      key: 's',
      pressed: () => planes.active?.slab?.mode === 'mip',
      run: () => planes.setSlab((slab) => switchMode(slab, 'mip')),
    }),
    command('volume.average', m.commandAverage, {
      key: 'Shift+s',
      pressed: () => planes.active?.slab?.mode === 'average',
      run: () => planes.setSlab((slab) => switchMode(slab, 'average')),
    }),
    command('volume.thinner', m.commandThinner, {
      key: '<',
      run: () => planes.setSlab((slab) => nextThickness(slab, -1)),
    }),
    command('volume.thicker', m.commandThicker, {
      key: '>',
      run: () => planes.setSlab((slab) => nextThickness(slab, 1)),
    }),
  ];
}
