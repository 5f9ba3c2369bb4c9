import Pause from '@lucide/svelte/icons/pause';
import Play from '@lucide/svelte/icons/play';
import type { Command } from '../../commands/registry.ts';
import { m } from '../../messages/compiled/messages.js';
import type { Cell } from '../../state/stage/cell.svelte.ts';
import { videoOf } from '../../state/stage/shown-video.svelte.ts';
import type { Feature } from '../../ui/feature.ts';
import CineBar from './CineBar.svelte';
import { playerOf } from './player.svelte.ts';

/** Returns what plays in a cell: its video, or its images. */
const playing = (cell: Cell) => videoOf(cell).shown ?? playerOf(cell);
const isPossible = (cell: Cell) => videoOf(cell).shown !== undefined || playerOf(cell).possible;

/** Plays films, videos, and stacks of slices. Nothing plays by itself. */
export const cineFeature: Feature = {
  tools({ workspace }) {
    return [
      {
        id: 'cine',
        icon: playing(workspace.active).playing ? Pause : Play,
        name: m.commandCinePlay,
        does: { command: 'cine.play' },
        available: () => isPossible(workspace.active),
      },
    ];
  },
  below: CineBar,
  commands({ workspace }): Command[] {
    const player = () => playing(workspace.active);
    const enabled = () => isPossible(workspace.active);
    const speed = (id: string, name: () => string, [key, by]: [key: string, by: number]): Command => ({
      id: `cine.${id}`,
      name,
      keys: [key],
      group: 'navigation',
      enabled,
      run: () => (player().speed += by),
    });
    return [
      {
        id: 'cine.play',
        name: m.commandCinePlay,
        keys: ['k'],
        group: 'navigation',
        enabled,
        pressed: () => player().playing,
        run: () => player().toggle(),
      },
      speed('slower', m.commandCineSlower, ['[', -1]),
      speed('faster', m.commandCineFaster, [']', 1]),
    ];
  },
};
