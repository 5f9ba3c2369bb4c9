import DataLoader from 'dataloader';
import { Tag, type DicomJson } from '../../schema/dicom.ts';
import { permitting, requireScope } from '../../schema/scopes.ts';
import { uid } from './dicom-text.ts';
import { foundStudies, readStudy, type FaceOptions, type FoundStudy } from './find.ts';
import { noSuchResource } from './not-found.ts';
import type { InstanceTarget } from './sources/source.ts';
import type { Imaging, StudyList } from './studies.ts';
import { wadoBase } from './wado-base.ts';

/** What GraphQL fields ask for one by one and the source is asked for together, within one request. */
export interface Loaders {
  /** A study by UID. @throws Fault `not_found` */
  study: DataLoader<string, FoundStudy>;
  /** Instance rows of a study, all series. */
  instances: DataLoader<FoundStudy, readonly DicomJson[], string>;
  /** The WADO-RS base of a study: one for all that is asked of it. */
  base: DataLoader<FoundStudy, string, string>;
  /** Metadata of one instance. */
  metadata: DataLoader<InstanceTarget, DicomJson, string>;
}

export function loaders(imaging: Imaging, options: FaceOptions): Loaders {
  return {
    study: new DataLoader((uids) => studies(imaging, uids, options)),
    instances: new DataLoader((found) => instances(imaging, found), {
      cacheKeyFn: ({ study }) => study.id!,
    }),
    base: new DataLoader(
      (found) =>
        settled(found, ({ study, record: { patientId } }) =>
          wadoBase(imaging, { uid: study.id!, ...(patientId !== undefined && { patientId }) }, options),
        ),
      { cacheKeyFn: ({ study }) => study.id! },
    ),
    metadata: new DataLoader((targets) => metadata(imaging, targets), {
      cacheKeyFn: ({ studyUid, seriesUid, instanceUid }) => `${studyUid}/${seriesUid}/${instanceUid}`,
    }),
  };
}

/** Many studies are searched for in two calls where the caller may search; a few are read. */
const MANY = 4;

async function studies(
  imaging: Imaging,
  uids: readonly string[],
  options: FaceOptions,
): Promise<(FoundStudy | Error)[]> {
  const { access, tenant } = imaging;
  const coverage = requireScope(access, 'ImagingStudy', 'r');
  // A narrower right to read than to search must not be widened by searching.
  const mayList = !coverage.constraints && permitting(access.permissions, 'ImagingStudy', 's').length > 0;
  const onePatient = access.patients !== 'all' && access.patients.length === 1;
  if (mayList && (onePatient || uids.length > MANY)) {
    const { records, failed } = await imaging.studiesOf(undefined, { studyUids: uids });
    const studies = await foundStudies(tenant, records, options);
    const found = new Map(studies.map((one) => [one.study.id, one]));
    return uids.map((uid) => {
      const one = found.get(uid);
      // Where a source did not answer, nobody knows that it is not there.
      return one ? { ...one, searched: {} } : (failed[0] ?? noSuchResource());
    });
  }
  return settled(uids, async (uid) => (await readStudy(imaging, uid, 'series', options)) ?? noSuchResource());
}

async function instances(
  imaging: Imaging,
  found: readonly FoundStudy[],
): Promise<(readonly DicomJson[] | Error)[]> {
  const records = new Map<string, Promise<StudyList>>();
  const searched = (patient: string | undefined): Promise<StudyList> => {
    const key = patient ?? '';
    const studyUids = found
      .filter((one) => one.searched && one.searched.patient === patient)
      .map(({ study }) => study.id!);
    const asked = records.get(key) ?? imaging.studiesOf(patient, { detail: 'instance', studyUids });
    records.set(key, asked);
    return asked;
  };
  return settled(found, async ({ record, searched: by, study }) => {
    if (record.instances) return record.instances;
    if (!by) return (await imaging.study(study.id!, 'instance'))?.instances ?? [];
    const { records: list } = await searched(by.patient);
    return list.find((one) => uid(one.study, Tag.StudyInstanceUID) === study.id)?.instances ?? [];
  });
}

/** Instances of one series that are asked for together come in one call. */
async function metadata(
  imaging: Imaging,
  targets: readonly InstanceTarget[],
): Promise<(DicomJson | Error)[]> {
  const seriesOf = ({ studyUid, seriesUid }: InstanceTarget) => `${studyUid}/${seriesUid}`;
  const counts = new Map<string, number>();
  for (const target of targets) counts.set(seriesOf(target), (counts.get(seriesOf(target)) ?? 0) + 1);
  const whole = new Map<string, Promise<DicomJson[]>>();
  return settled(targets, async (target) => {
    const { studyUid, seriesUid, instanceUid } = target;
    const key = seriesOf(target);
    let rows: Promise<DicomJson[]>;
    if (counts.get(key) === 1) {
      rows = imaging.metadata(target);
    } else {
      rows = whole.get(key) ?? imaging.metadata({ studyUid, seriesUid });
      whole.set(key, rows);
    }
    return (await rows).find((row) => uid(row, Tag.SOPInstanceUID) === instanceUid) ?? noSuchResource();
  });
}

/** Each result or its error, as DataLoader takes them: one that fails leaves the others. */
function settled<K, V>(keys: readonly K[], load: (key: K) => Promise<V | Error>): Promise<(V | Error)[]> {
  return Promise.all(
    keys.map((key) =>
      load(key).catch((error: unknown) => (error instanceof Error ? error : new Error(String(error)))),
    ),
  );
}
