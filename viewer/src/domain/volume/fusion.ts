/** Series that may be laid over each other. */
import { voiOf } from '../grey/voi.ts';
import { valueScaleOf, type ValueScale } from '../grey/value-scale.ts';
import type { Instance } from '../instance.ts';
import type { Stack } from '../series/stacks.ts';
import type { Series, Study } from '../study.ts';

export interface SeriesOf {
  study: Study;
  series: Series;
}

/** Modalities that show where a place is, in the order in which they are preferred. */
const PLACES = ['CT', 'MR'];

/** Returns the PETs of studies, and the series that one may lie over: first the one that is `active`, then the longest. */
export function fusionCandidates(
  studies: readonly Study[],
  active: Series | undefined,
): { pets: SeriesOf[]; bases: SeriesOf[] } {
  const all = studies.flatMap((study) => study.series.map((series) => ({ study, series })));
  const rank = ({ series }: SeriesOf) => (series.uid === active?.uid ? -2 : PLACES.indexOf(series.modality));
  const length = ({ series }: SeriesOf) => series.numberOfInstances ?? 0;
  const sorted = all.toSorted((a, b) => rank(a) - rank(b) || length(b) - length(a));
  return {
    pets: sorted.filter(({ series }) => series.modality === 'PT'),
    bases: sorted.filter(({ series }) => PLACES.includes(series.modality)),
  };
}

/** SUV up to which a PET is shown. */
const SUV = [5, 10, 15];
const USUAL = 10;

/** The values of a PET, and up to which of them, in the scale's unit, it may be shown. */
export interface PetScale extends ValueScale {
  choices: readonly number[];
  usual: number;
}

/**
 * Returns how a PET is shown: in SUV, or else up to the end of its own window.
 * @returns undefined for one that has neither
 */
export function petScaleOf({ frames }: Stack, instances: readonly Instance[]): PetScale | undefined {
  const { metadata } = frames[frames.length >> 1]!;
  const scale = valueScaleOf(metadata, instances);
  if (scale.unit === 'SUV') return { ...scale, choices: SUV, usual: USUAL };
  const voi = voiOf(metadata);
  const most = voi ? Math.round(voi.centre + voi.width / 2) : 0;
  return most > 0 ? { ...scale, choices: [most], usual: most } : undefined;
}
