import type { Coding } from 'fhir/r4.js';
import type { RecordFacts } from '../../authorization/record-withholding.ts';
import { bodyPartTerm } from '../document/terminology.ts';
import type { RecordStudy } from './record-study.ts';

/**
 * Returns the facts by which it is decided whether a study of the record is withheld.
 * @param halves all resources that the record has of one study
 */
export function recordFacts(halves: readonly RecordStudy[]): RecordFacts {
  const resources = halves.map(({ resource }) => resource);
  const series = resources.flatMap((resource) => resource.series ?? []);
  const labels = resources.flatMap(({ meta }) => meta?.security ?? []);
  return {
    id: halves[0]!.id,
    modalities: all(
      [
        ...resources.flatMap(({ modality }) => modality ?? []),
        ...series.flatMap(({ modality }) => modality ?? []),
      ],
      ({ code }) => code?.toUpperCase(),
    ),
    bodyParts: all(
      series.flatMap(({ bodySite }) => bodySite ?? []),
      bodyPartTerm,
    ),
    labels: labels.length === 0 ? [] : all(labels, ({ system = '', code }) => code && `${system}|${code}`),
  };
}

/** Returns the value of each coding; undefined when there is no coding, or one without a value. */
function all(
  codings: readonly Coding[],
  valueOf: (coding: Coding) => string | undefined,
): string[] | undefined {
  const values = codings.map(valueOf).filter((value) => value !== undefined && value !== '');
  return values.length > 0 && values.length === codings.length ? (values as string[]) : undefined;
}
