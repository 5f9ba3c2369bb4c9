import type { Command } from '../../commands/registry.ts';
import { m } from '../../messages/compiled/messages.js';
import type { Feature } from '../../ui/feature.ts';
import CineBar from './CineBar.svelte';
import CineTool from './CineTool.svelte';
import { playerOf } from './player.svelte.ts';

/** Plays films, and stacks of slices. Nothing plays by itself. */
export const cineFeature: Feature = {
  tools: CineTool,
  below: CineBar,
  commands({ workspace }): Command[] {
    const player = () => playerOf(workspace.active);
    const speed = (id: string, name: () => string, [key, by]: [key: string, by: number]): Command => ({
      id: `cine.${id}`,
      name,
      keys: [key],
      group: 'navigation',
      enabled: () => player().possible,
      run: () => (player().speed += by),
    });
    return [
      {
        id: 'cine.play',
        name: m.commandCinePlay,
        keys: ['k'],
        group: 'navigation',
        enabled: () => player().possible,
        pressed: () => player().playing,
        run: () => player().toggle(),
      },
      speed('slower', m.commandCineSlower, ['[', -1]),
      speed('faster', m.commandCineFaster, [']', 1]),
    ];
  },
};
