import type { Phases } from '../../domain/series/phases.ts';
import type { Reformatted, Stack } from '../../domain/series/stacks.ts';
import { m } from '../../messages/compiled/messages.js';
import { getLocale } from '../../messages/compiled/runtime.js';

const ORIENTATIONS: Record<string, () => string> = {
  axial: m.orientationAxial,
  coronal: m.orientationCoronal,
  sagittal: m.orientationSagittal,
  oblique: m.orientationOblique,
};

/** Returns what distinguishes a stack in its series; undefined for the only one. @param besides what a slider says already */
export function stackWords({ by, split = {}, reformatted }: Stack, besides?: string): string | undefined {
  if (reformatted) return planeWords(reformatted);
  if (!by) return undefined;
  const told = Object.entries(split).filter(([what]) => what !== besides);
  if (told.length > 1 || (besides !== undefined && told.length > 0))
    return told.map(([what, value]) => words(what, value)).join(' · ');
  return words(by.what, by.value);
}

function words(what: string, value: string): string {
  switch (what) {
    case 'orientation':
      return ORIENTATIONS[value]?.() ?? value;
    case 'stack':
      return m.stackNumber({ value });
    case 'echo':
      return m.stackEcho({ value });
    case 'diffusion':
      return m.stackDiffusion({ value });
    case 'temporal':
      return m.stackTemporal({ value });
    default:
      return value;
  }
}

const PHASES: Record<
  Phases['what'],
  [name: (at: { number: number; count: number }) => string, unit: string]
> = { temporal: [m.phaseTemporal, 's'], echo: [m.phaseEcho, 'ms'], diffusion: [m.phaseDiffusion, 's/mm²'] };

/** Says which of stacks it is, and its number: `Time 12/70 · 24.0 s`. */
export function phaseWords({ what, stacks, values }: Phases, at: number): string {
  const [name, unit] = PHASES[what];
  const words = name({ number: at + 1, count: stacks.length });
  if (!values) return words;
  const digits = what === 'temporal' ? (values.at(-1)! < 10 ? 2 : 1) : 0;
  const value = values[at]!.toLocaleString(getLocale(), {
    minimumFractionDigits: digits,
    maximumFractionDigits: Math.max(digits, 1),
  });
  return `${words} · ${value} ${unit}`;
}

/** Says which plane it is, and how thick. */
function planeWords({ plane, slab }: Reformatted): string {
  const name = ORIENTATIONS[plane]!();
  if (!slab) return name;
  const mm = slab.thickness;
  return `${name} · ${slab.mode === 'mip' ? m.slabMip({ mm }) : m.slabAverage({ mm })}`;
}
