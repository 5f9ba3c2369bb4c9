import { Tag, text } from '../../../schema/dicom/dicom.ts';
import { statedIdentifier } from '../facts/identifiers.ts';
import type { TenantSource } from '../cache/tenant-source.ts';

/**
 * Returns the PatientID of a study for the authorization hook, which asks the EHR whether the caller may see that
 * patient. Undefined when there is no such study, or when studies of several patients have its UID. The sources are
 * asked each time: a kept answer would be faster, and so show that the study exists (IA-7).
 * @throws Fault of a source that does not answer, when no other has the study
 */
export async function studyOwner(
  sources: readonly Pick<TenantSource, 'askFresh'>[],
  studyUid: string,
): Promise<string | undefined> {
  const match = new Map([[Tag.StudyInstanceUID as string, [studyUid]]]);
  const query = { level: 'study', match, includeField: [] } as const;
  const answers = await Promise.allSettled(sources.map((source) => source.askFresh(query)));
  const owners = answers
    .flatMap((answer) => (answer.status === 'fulfilled' ? answer.value : []))
    .filter((row) => text(row, Tag.StudyInstanceUID) === studyUid)
    .map((row) => statedIdentifier(row, Tag.PatientID));
  const [owner] = owners;
  const failed = answers.find((answer) => answer.status === 'rejected');
  // The source that does not answer may have the study.
  if (owner === undefined && failed) throw failed.reason;
  return owner && owners.every((one) => one === owner) ? owner : undefined;
}
