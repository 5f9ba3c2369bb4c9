import { Tag, text, type DicomJson } from '../../../schema/dicom/dicom.ts';

/** Groups rows by `uidOf`, in the order of the first row of each; rows without a UID are under `''`. */
export function grouped<T>(rows: readonly T[], uidOf: (row: T) => string | undefined): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const row of rows) {
    const uid = uidOf(row) ?? '';
    const group = groups.get(uid);
    if (group) group.push(row);
    else groups.set(uid, [row]);
  }
  return groups;
}

/** Groups rows of any level by their Study Instance UID. */
export function byStudy(rows: readonly DicomJson[]): Map<string, DicomJson[]> {
  return grouped(rows, (row) => text(row, Tag.StudyInstanceUID));
}

/** Compares studies by date and time, newest first. */
export function compareNewestFirst(a: { study: DicomJson }, b: { study: DicomJson }): number {
  const [first, second] = [startOf(a.study), startOf(b.study)];
  return first === second ? 0 : first < second ? 1 : -1;
}

function startOf(study: DicomJson): string {
  return `${text(study, Tag.StudyDate) ?? ''}${text(study, Tag.StudyTime) ?? ''}`;
}

/** Maximum UIDs of one query to an archive: a URL has a maximum length. */
const MOST_UIDS = 50;

/** Splits values into lists of at most `size`. */
export function chunked<T>(values: readonly T[], size = MOST_UIDS): T[][] {
  const count = Math.ceil(values.length / size);
  return Array.from({ length: count }, (_, index) => values.slice(index * size, (index + 1) * size));
}

/** Returns whether two lists hold the same rows, as objects, in the same order. */
export function isSameRows(
  one: readonly DicomJson[] | undefined,
  other: readonly DicomJson[] | undefined,
): boolean {
  if (one === other) return true;
  return one?.length === other?.length && one!.every((row, index) => row === other![index]);
}
