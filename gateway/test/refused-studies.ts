/** Studies of a patient, and others that are refused to this patient, with every kind of source (IA-7). */
import { SOURCES, startEverySource, type EverySource } from './every-source.ts';
import { smallObjects } from './setup/small-objects.ts';

/** Kinds of studies; `warm` is a foreign study that its owner has just read. */
const KINDS = { own: 1, foreign: 2, warm: 3, withheld: 4, absent: 9 };
export type Kind = keyof typeof KINDS;
export const REFUSED = ['absent', 'foreign', 'warm', 'withheld'] as const;
/** UIDs of the same length, so that requests have the same length too. */
export const uid = (kind: Kind, number: number) => `1.9.${KINDS[kind]}.${10 + number}`;

/**
 * Starts a tenant for each source, with the tokens `own` and `owner`; the second owns the studies that are foreign to
 * the first.
 * @param count number of studies of each kind
 */
export async function startRefusedStudies(count: number): Promise<EverySource> {
  const study = (kind: Kind, patientId: string, modality: string) =>
    Array.from({ length: count }, (_, number) =>
      smallObjects({ studyUid: uid(kind, number), patientId, modality, instances: 2 }),
    ).flat();
  const objects = [
    ...study('own', 'MRN-a', 'CT'),
    ...study('foreign', 'MRN-b', 'CT'),
    ...study('warm', 'MRN-b', 'CT'),
    ...study('withheld', 'MRN-a', 'XA'),
  ];
  const every = await startEverySource(
    Object.fromEntries(objects.map((file, index) => [`${index}.dcm`, file])),
    {
      files: (images, smart) =>
        Object.fromEntries(
          SOURCES.map((source) => [
            source,
            { authorization: { ...smart, withhold: [{ modality: ['XA'] }] }, images: images[source] },
          ]),
        ),
    },
  );
  every.give('own', 'a');
  every.give('owner', 'b');
  return every;
}
