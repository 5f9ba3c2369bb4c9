import type { PatientRecord } from './patient-record.ts';

/**
 * Questions to a clinical record, asked with the gateway's own credentials: what a caller may not see must count too
 * when the record is asked whether somebody else has a number.
 */
export interface RecordLookup {
  /**
   * Reads a record; undefined when there is none, or it may not be read.
   * @throws Fault when the server does not answer
   */
  read(id: string): Promise<PatientRecord | undefined>;
  /**
   * Returns the records that have an identifier with one of these values, maybe with others; undefined when the server
   * does not search by identifier or gives only a part of its answer.
   * @throws Fault when the server does not answer
   */
  holders(values: readonly string[]): Promise<readonly PatientRecord[] | undefined>;
}

/** Records of one person that are followed; more are not a merge but a mistake. */
const MOST_RECORDS = 10;

export interface MergedRecords {
  /** All records that are the same person's, the one in question first. */
  records: readonly PatientRecord[];
  /** The one of them that has replaced the others. */
  survivor: PatientRecord;
  /** True when a link was not followed because the records contradict each other, or the other one cannot be read. */
  isUnclear: boolean;
}

/**
 * Returns the records that were merged with this one (R4 §8.1.3.2). A link counts only by the word of the surviving
 * record, and not against that of the other: the survivor says `replaces`, the other one is not `active: true` and names
 * nobody else as its successor.
 */
export async function mergedRecords(
  record: PatientRecord,
  lookup: Pick<RecordLookup, 'read'>,
): Promise<MergedRecords> {
  const known = new Map([[record.id, record]]);
  const read = async (id: string | undefined): Promise<PatientRecord | undefined> => {
    if (id === undefined) return undefined;
    const found = known.get(id) ?? (await lookup.read(id));
    if (found) known.set(id, found);
    return found;
  };
  const survivor = await survivorOf(record, read);
  if (!survivor) return { records: [record], survivor: record, isUnclear: true };

  let isUnclear = false;
  const merged = [survivor];
  for (const member of merged) {
    for (const id of member.replaces) {
      const other = await read(id);
      const isRoom = merged.length < MOST_RECORDS;
      if (other && isRoom && !merged.includes(other) && isReplaced(other, member)) merged.push(other);
      else isUnclear = true;
    }
  }
  return { records: [record, ...merged.filter((one) => one !== record)], survivor, isUnclear };
}

/** Returns the record that has replaced all others in a row; undefined when a step of the way is not agreed on. */
async function survivorOf(
  record: PatientRecord,
  read: (id: string | undefined) => Promise<PatientRecord | undefined>,
): Promise<PatientRecord | undefined> {
  const passed = new Set<PatientRecord>();
  let survivor = record;
  while (survivor.replacedBy.length > 0) {
    passed.add(survivor);
    const next = await read(survivor.replacedBy[0]);
    const isAgreed = next?.replaces.includes(survivor.id) && isReplaced(survivor, next);
    if (!next || !isAgreed || passed.has(next) || passed.size >= MOST_RECORDS) return undefined;
    survivor = next;
  }
  return survivor;
}

/** Tells whether a record does not contradict that another one has replaced it. */
function isReplaced({ active, replacedBy }: PatientRecord, by: PatientRecord): boolean {
  return active !== true && replacedBy.every((id) => id === by.id);
}

/** Tells whether a record says itself that one of these records has replaced it, so that its numbers are theirs. */
export function isGivenTo({ active, replacedBy }: PatientRecord, records: readonly PatientRecord[]): boolean {
  return (
    active !== true &&
    replacedBy.length > 0 &&
    replacedBy.every((successor) => records.some(({ id }) => id === successor))
  );
}
