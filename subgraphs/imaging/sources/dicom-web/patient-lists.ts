import { Tag, type DicomJson } from '../../../../schema/dicom/dicom.ts';
import { Fault } from '../../../../schema/fault/fault.ts';
import { statedIdentifier } from '../../facts/identifiers.ts';
import { chunked } from '../../facts/study-rows.ts';
import { askedText } from './keys.ts';

/** Rows that a server has for a key. */
interface Answer {
  /** Rows of the search; no others. */
  ours: readonly DicomJson[];
  /** True if the server says that it has more rows. */
  cut: boolean;
}

/**
 * Asks a server for several patients by one search, with a list of PatientIDs: `A,B`. DICOM has lists only for UIDs
 * (PS3.4 §C.2.2.2.2), so most servers take the comma as a part of the value and find nothing. Orthanc takes it as a list. A
 * server has shown that it does when it answers one list with rows of two of its patients; until then, an answer with
 * fewer proves nothing, and each patient is asked for alone. Use one per server.
 */
export class PatientLists {
  #use: 'unproven' | 'proven' | 'refused' = 'unproven';

  /**
   * Returns the rows of all patients.
   * @param find searches by one PatientID, or by a list of them
   */
  async find(
    patientIds: readonly string[],
    find: (patientIds: readonly string[]) => Promise<Answer>,
  ): Promise<readonly (readonly DicomJson[])[]> {
    const listed = patientIds.filter((id) => askedText(id) === id);
    const together =
      listed.length > 1 && this.#use !== 'refused' ? await this.#together(listed, find) : undefined;
    const alone = together ? patientIds.filter((id) => !listed.includes(id)) : patientIds;
    const answers = await Promise.all(alone.map((id) => find([id])));
    const rows = answers.map(({ ours }) => ours);
    // The server has rows of two patients, and gave fewer for the list.
    if (this.#use === 'unproven' && listed.length > 1 && !together && ofPatients(rows.flat()) > 1)
      this.#use = 'refused';
    return [...(together ?? []), ...rows];
  }

  /** Returns the rows of a list of patients; undefined if the list may not have found all. */
  async #together(
    patientIds: readonly string[],
    find: (patientIds: readonly string[]) => Promise<Answer>,
  ): Promise<(readonly DicomJson[])[] | undefined> {
    try {
      const answers = await Promise.all(chunked(patientIds).map(find));
      const rows = answers.map(({ ours }) => ours);
      if (ofPatients(rows.flat()) > 1) this.#use = 'proven';
      return this.#use === 'proven' && !answers.some(({ cut }) => cut) ? rows : undefined;
    } catch (error) {
      // Only a refusal of the list; a server that does not answer fails for each patient, too.
      if (error instanceof Fault && ['invalid_request', 'bad_gateway'].includes(error.code)) return undefined;
      throw error;
    }
  }
}

/** Returns the number of patients who have rows. */
function ofPatients(rows: readonly DicomJson[]): number {
  return new Set(rows.map((row) => statedIdentifier(row, Tag.PatientID))).size;
}
