import type { Reformatted, Stack } from '../../domain/series/stacks.ts';
import { m } from '../../messages/compiled/messages.js';

const ORIENTATIONS: Record<string, () => string> = {
  axial: m.orientationAxial,
  coronal: m.orientationCoronal,
  sagittal: m.orientationSagittal,
  oblique: m.orientationOblique,
};

/** Returns what distinguishes a stack in its series; undefined for the only one. */
export function stackWords({ by, reformatted }: Stack): string | undefined {
  if (reformatted) return planeWords(reformatted);
  if (!by) return undefined;
  switch (by.what) {
    case 'orientation':
      return ORIENTATIONS[by.value]?.() ?? by.value;
    case 'echo':
      return m.stackEcho({ value: by.value });
    case 'temporal':
      return m.stackTemporal({ value: by.value });
    default:
      return by.value;
  }
}

/** Says which plane it is, and how thick. */
function planeWords({ plane, slab }: Reformatted): string {
  const name = ORIENTATIONS[plane]!();
  if (!slab) return name;
  const mm = slab.thickness;
  return `${name} · ${slab.mode === 'mip' ? m.slabMip({ mm }) : m.slabAverage({ mm })}`;
}
