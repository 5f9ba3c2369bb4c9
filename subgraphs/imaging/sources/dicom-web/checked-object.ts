import { Tag, text, type DicomJson } from '../../../../schema/dicom/dicom.ts';
import { Budget } from '../../dicom/part10/budget.ts';
import { Bytes, DamagedFile } from '../../dicom/part10/bytes.ts';
import { readFile } from '../../dicom/part10/file.ts';
import { dicomJson } from '../../dicom/part10/json.ts';
import { peek } from '../../multipart/peek.ts';
import { isOfPatient, statedPatient } from '../../facts/stated-patient.ts';
import type { Target } from '../source.ts';
import { otherObject } from '../../parsing/archive/archive-faults.ts';

/** UIDs of every object (PS3.3 §C.7.2.1, §C.7.3.1, §C.12.1). */
const UIDS = [Tag.SOPInstanceUID, Tag.StudyInstanceUID, Tag.SeriesInstanceUID] as const;
const IDENTITY: ReadonlySet<string> = new Set([...UIDS, Tag.PatientID, Tag.IssuerOfPatientID]);
/** Bytes in which the UIDs of an object are searched, because private data before them may be large. */
const HEAD = 1024 * 1024;
/** Elements before its last UID, with those of items. */
const ELEMENTS = 5000;

/**
 * Compares an object of an archive with the request, by its first bytes (DW-26). An object without identity, or with a
 * deflated data set, is passed on unchanged, as relayed objects are.
 * @param onOtherObject called before another object is refused
 * @returns all of its bytes
 * @throws Fault `bad_gateway` for another object
 */
export async function checkedObject(
  body: AsyncGenerator<Buffer, void, void>,
  target: Target,
  onOtherObject?: () => void,
): Promise<AsyncGenerator<Buffer, void, void>> {
  const { found, bytes } = await peek(body, identityOf, HEAD);
  if (found && !isWithin(found, target)) {
    await body.return();
    onOtherObject?.();
    throw otherObject();
  }
  return bytes;
}

/** Returns the identity of an object; undefined when its first bytes do not contain it. */
function identityOf(head: Buffer): DicomJson | undefined {
  try {
    const budget = new Budget(ELEMENTS);
    const file = readFile(new Bytes(head), { while: (tag) => tag <= Tag.SeriesInstanceUID, budget });
    const elements = file?.elements.filter(({ tag }) => IDENTITY.has(tag)) ?? [];
    if (!file || !UIDS.every((tag) => elements.some((element) => element.tag === tag))) return undefined;
    return dicomJson(file.bytes, elements, file.encoding, budget);
  } catch (error) {
    if (error instanceof DamagedFile) return undefined;
    throw error;
  }
}

function isWithin(identity: DicomJson, { studyUid, seriesUid, instanceUid, patient }: Target): boolean {
  const is = (tag: string, uid: string | undefined) => uid === undefined || text(identity, tag) === uid;
  return (
    is(Tag.StudyInstanceUID, studyUid) &&
    is(Tag.SeriesInstanceUID, seriesUid) &&
    is(Tag.SOPInstanceUID, instanceUid) &&
    (patient === undefined || isOfPatient(statedPatient(identity), patient))
  );
}
