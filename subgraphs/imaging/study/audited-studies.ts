import type { Operation, RecordOperation } from '../../../schema/fault/audit.ts';
import { ALLOWED, outcomeOf, querySummary } from '../../../schema/fault/audit.ts';
import { UID } from '../../../schema/dicom/dicom.ts';
import { keywordOf } from '../../../schema/dicom/dictionary.ts';
import { Fault } from '../../../schema/fault/fault.ts';
import { FHIR_ID } from '../../../schema/fhir/fhir.ts';
import type { StudyQuery } from './study-query.ts';
import type { Target } from '../sources/source.ts';
import type { Imaging } from './studies.ts';

const IMAGING_STUDY = 'ImagingStudy';

/**
 * Wraps the core of one request and records every operation, allowed or denied (IA-30). All APIs call the core through
 * it, so all leave the same record.
 */
export function auditedStudies(core: Imaging, record: RecordOperation): Imaging {
  const { tenant, access } = core;
  // The patient of every answer, if the token covers one patient; otherwise each study says its patient.
  const context =
    access.patients !== 'all' && access.patients.length === 1 ? access.patients[0]!.id : undefined;

  /**
   * Records a search once for each patient (BALP §3:5.7.5). A refusal because of the patient names a patient only if
   * the client did.
   */
  const searched = async <T>(
    asked: Omit<Operation, 'outcome' | 'action'>,
    run: () => Promise<T>,
    owners: (found: T) => readonly (string | undefined)[],
  ): Promise<T> => {
    const operation = { action: 'search', type: IMAGING_STUDY, ...asked } as const;
    try {
      const found = await run();
      const patients = asked.patient ??
        context ?? [...new Set(owners(found).filter((id) => id !== undefined))];
      const each = [patients].flat();
      for (const patient of each) record({ ...operation, patient, outcome: ALLOWED });
      if (each.length === 0) record({ ...operation, outcome: ALLOWED });
      return found;
    } catch (error) {
      record({ ...operation, ...refusedPatient(error, asked.patient ?? context), outcome: outcomeOf(error) });
      throw error;
    }
  };

  const refusedPatient = (error: unknown, patient: string | undefined) => {
    const isOther = error instanceof Fault && (error.code === 'forbidden' || error.code === 'not_found');
    const known = isOther && patient === context ? undefined : patient;
    return known === undefined ? {} : { patient: known };
  };

  /**
   * Returns the patient of a retrieved study. With several patients, the check of the retrieval has just read the row.
   */
  const ownerOf = async (study: string): Promise<string | undefined> => {
    if (context !== undefined || access.patients === 'all') return context;
    return core.study(study, 'study').then(
      (found) => found?.patientId,
      () => undefined,
    );
  };

  const retrieved = async <T>(target: Target, part: string, run: () => Promise<T>): Promise<T> => {
    const { studyUid, seriesUid, instanceUid } = target;
    const within = [seriesUid && `series/${seriesUid}`, instanceUid && `instances/${instanceUid}`, part];
    const path = within.filter(Boolean).join('/');
    const operation = {
      action: 'retrieve',
      type: IMAGING_STUDY,
      study: studyUid,
      ...(path !== '' && { target: path }),
    } as const;
    try {
      const found = await run();
      const patient = await ownerOf(studyUid);
      if (found !== undefined)
        record({ ...operation, ...(patient !== undefined && { patient }), outcome: ALLOWED });
      return found;
    } catch (error) {
      // Another media type may still be given; if none is, the request is recorded at its end.
      const isForm = error instanceof Fault && error.code === 'not_acceptable';
      if (!isForm) record({ ...operation, ...refusedPatient(error, context), outcome: outcomeOf(error) });
      throw error;
    }
  };

  return {
    tenant,
    access,
    get unanswered() {
      return core.unanswered;
    },
    get replaced() {
      return core.replaced;
    },
    search: (query) =>
      searched(
        { ...studyOf(query.studyUid), query: summaryOf(query) },
        () => core.search(query),
        ({ patients = [] }) => patients,
      ),
    studiesOf: (patient, filter) =>
      searched(
        { ...(patient !== undefined && { patient }), query: IMAGING_STUDY },
        () => core.studiesOf(patient, filter),
        ({ records }) => records.map(({ patientId }) => patientId),
      ),
    async study(studyUid, detail) {
      const operation = { action: 'read', type: IMAGING_STUDY, ...studyOf(studyUid) } as const;
      try {
        const found = await core.study(studyUid, detail);
        const patient = found?.patientId;
        const outcome = found ? ALLOWED : outcomeOf(new Fault('not_found', 'There is no such study.'));
        record({ ...operation, ...(patient !== undefined && { patient }), outcome });
        return found;
      } catch (error) {
        record({ ...operation, ...refusedPatient(error, context), outcome: outcomeOf(error) });
        throw error;
      }
    },
    patientById(id) {
      try {
        return core.patientById(id);
      } catch (error) {
        const named = FHIR_ID.test(id) ? { patient: id } : {};
        record({
          action: 'search',
          type: IMAGING_STUDY,
          query: IMAGING_STUDY,
          ...named,
          outcome: outcomeOf(error),
        });
        throw error;
      }
    },
    async patientByIdentifier(value, system) {
      try {
        return await core.patientByIdentifier(value, system);
      } catch (error) {
        record({ action: 'search', type: IMAGING_STUDY, query: IMAGING_STUDY, outcome: outcomeOf(error) });
        throw error;
      }
    },
    order: (id) => core.order(id),
    metadata: (target) => retrieved(target, 'metadata', () => core.metadata(target)),
    encodedMetadata: (target) => retrieved(target, 'metadata', () => core.encodedMetadata(target)),
    retrieve: (target, syntax) => retrieved(target, '', () => core.retrieve(target, syntax)),
    relay: (target, syntax) => retrieved(target, '', () => core.relay(target, syntax)),
    frames: (target, numbers) => retrieved(target, framesPart(numbers), () => core.frames(target, numbers)),
    bulkdata: (target, path) => retrieved(target, 'bulkdata', () => core.bulkdata(target, path)),
    reading: (target, part, work) => retrieved(target, part, () => core.reading(target, part, work)),
  };
}

/** Names frames in an audit record: the first 100 numbers. */
export function framesPart(numbers: readonly number[]): string {
  return `frames/${numbers.slice(0, 100).join(',')}`;
}

function studyOf(studyUid: string | undefined): { study?: string } {
  return studyUid !== undefined && UID.test(studyUid) ? { study: studyUid } : {};
}

/**
 * Summarizes a query: the level unless it is `study`, and the keywords of its keys. Leaves out values: they may be
 * names and identifiers.
 */
function summaryOf({ level, patientIds, match }: StudyQuery): string {
  const keys = [...match.keys(), ...(patientIds ? ['00100020'] : [])].map((tag) => keywordOf(tag) ?? tag);
  const parameters = keys.map((key) => [key, ''] as const);
  return querySummary(level === 'study' ? IMAGING_STUDY : `${IMAGING_STUDY}/${level}`, parameters);
}
