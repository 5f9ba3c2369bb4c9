/** Procedures while values were measured: marks on the axis of time. */
import type { PatientRecord } from '../../domain/record/record.ts';
import { isStored } from '../../domain/study.ts';
import { plainStudy } from '../../messages/plain/names.ts';
import { modalityNames, type Wording } from '../../messages/modalities.ts';
import { secondsOf } from './time.ts';

export interface Mark {
  id: string;
  kind: 'images' | 'procedure';
  name: string;
  /** A FHIR date. */
  date: string;
  /** On the axis. */
  at: number;
  /** Study Instance UID, where the study can be opened. */
  study?: string;
}

/** Marks that stand too close to be told apart. */
export interface MarkGroup {
  /** Pixels on the axis. */
  x: number;
  marks: readonly Mark[];
}

/** Returns the studies and procedures of a record that have a date, oldest first. */
export function marksOf({ studies, timeline }: PatientRecord, wording: Wording): Mark[] {
  const images = studies.map((study) => {
    const { uid, started, description, modalities } = study;
    const plain = wording === 'plain' ? plainStudy(study) : undefined;
    return {
      id: uid,
      kind: 'images' as const,
      date: started,
      name: plain ?? description ?? modalityNames(modalities, wording),
      study: isStored(study) ? uid : undefined,
    };
  });
  const procedures = timeline
    .filter(({ kind }) => kind === 'procedure')
    .map(({ id, date, title }) => ({ id, kind: 'procedure' as const, date, name: title }));
  return [...images, ...procedures]
    .flatMap((mark): Mark | [] => {
      const at = mark.date === undefined ? undefined : secondsOf(mark.date);
      return at === undefined ? [] : { ...mark, date: mark.date!, at };
    })
    .sort((a, b) => a.at - b.at);
}

/**
 * Returns the marks that are on the axis, those that are closer than `apart` pixels together.
 * @param marks oldest first
 * @param xOf pixels of a time on the axis; undefined outside
 */
export function groupsOf(
  marks: readonly Mark[],
  apart: number,
  xOf: (at: number) => number | undefined,
): MarkGroup[] {
  const groups: { x: number; marks: Mark[] }[] = [];
  for (const mark of marks) {
    const x = xOf(mark.at);
    if (x === undefined) continue;
    const last = groups.at(-1);
    if (last && x - last.x < apart) last.marks.push(mark);
    else groups.push({ x, marks: [mark] });
  }
  return groups;
}
