import type { DiagnosticReport, Observation, Resource } from 'fhir/r4.js';
import { compareText } from '../../../schema/process/texts.ts';
import type { PatientStudy } from '../record/study-images.ts';
import { startOf } from './dates.ts';
import { KINDS, type Kind } from './types.ts';

/** An entity of the imaging subgraph, by its key. */
interface StudyEntity {
  __typename: 'ImagingStudy';
  id: string;
}

/** One event, as the graph gives it. */
export interface Entry {
  kind: Kind;
  date?: string | undefined;
  end?: string | undefined;
  title?: string | undefined;
  resource?: Resource | StudyEntity;
  observations?: readonly Observation[];
  /** Null when they could not be searched. */
  studies?: readonly StudyEntity[] | null;
}

/** Place of an entry: the resource whose date it has. */
export interface Place {
  type: string;
  id: string;
  kind: Kind;
  /** Milliseconds since the epoch; undefined without a date. */
  start: number | undefined;
}

/** An entry with its place. */
export interface Placed {
  entry: Entry;
  place: Place;
  /** Of a report with its studies. */
  report?: DiagnosticReport;
}

/**
 * Compares places: newest first, undated last; at the same moment by kind, type and id, so that the order is the same on
 * every page.
 */
export function comparePlaces(a: Place, b: Place): number {
  const [one, other] = [a.start ?? -Infinity, b.start ?? -Infinity];
  if (one !== other) return one > other ? -1 : 1;
  return (
    KINDS.indexOf(a.kind) - KINDS.indexOf(b.kind) || compareText(a.type, b.type) || compareText(a.id, b.id)
  );
}

/** Returns the entry of a study that no report has. */
export function studyEntry({ id, started, description, modalities }: PatientStudy): Placed {
  const start = startOf(started);
  const title = description ?? (modalities.length > 0 ? `${modalities.join(', ')} study` : 'Imaging study');
  const entity = { __typename: 'ImagingStudy', id } as const;
  return {
    entry: {
      kind: 'study',
      title,
      resource: entity,
      studies: [entity],
      date: start === undefined ? undefined : started,
    },
    place: { type: 'ImagingStudy', id, kind: 'study', start },
  };
}
