import type { ImagingStudy, Reference } from 'fhir/r4.js';
import { Tag } from '../../../schema/dicom/dicom.ts';
import { bindContained } from '../../../schema/fhir/contained.ts';
import { DICOM_UID_SYSTEM } from '../../../schema/fhir/fhir.ts';
import { deepFreeze } from '../../../schema/process/deep-freeze.ts';
import { personNames, string } from '../dicom/dicom-text.ts';
import { endpointElements, type EndpointStyle } from './endpoint.ts';
import { omitEmpty } from '../dicom/omit-empty.ts';
import type { StudyRecord } from '../study/study-records.ts';
import { studyDocument, type StudyDocument } from '../study/document/study-document.ts';

export interface ImagingStudyContext {
  /** Public base of the tenant. */
  base: string;
  endpointStyle: EndpointStyle;
  /** FHIR instant (IA-13); undefined if nothing is remembered. */
  lastUpdated?: string;
}

/** A resource, and everything it was made from besides its document. */
interface Kept extends ImagingStudyContext {
  patientId: string | undefined;
  resource: ImagingStudy;
}

const resources = new WeakMap<StudyDocument, Kept[]>();
/** Maximum resources of one document: for tenants over the same rows, and for styles of the Endpoint. */
const MAX_OF_DOCUMENT = 8;

/**
 * Maps DICOM rows to FHIR R4 ImagingStudy, by FHIR's DICOM mapping (IA-15, IA-16). Deeply frozen; the same object for
 * the same rows and context.
 */
export function imagingStudy(record: StudyRecord, context: ImagingStudyContext): ImagingStudy {
  const document = studyDocument(record);
  const { patientId } = record;
  const known = resources.get(document) ?? [];
  const found = known.find(
    (one) =>
      one.patientId === patientId &&
      one.base === context.base &&
      one.endpointStyle === context.endpointStyle &&
      one.lastUpdated === context.lastUpdated,
  );
  if (found) return found.resource;
  const resource = deepFreeze(bindContained(resourceOf(document, record, context)));
  resources.set(document, [{ ...context, patientId, resource }, ...known.slice(0, MAX_OF_DOCUMENT - 1)]);
  return resource;
}

function resourceOf(
  document: StudyDocument,
  record: StudyRecord,
  { base, endpointStyle, lastUpdated }: ImagingStudyContext,
): ImagingStudy {
  const { uid, accessions, modality, started, referrer, series } = document;
  const { contained, endpoint } = endpointElements(base, endpointStyle, uid);
  const isSplit = record.isSplit ?? false;
  return omitEmpty<ImagingStudy>({
    resourceType: 'ImagingStudy',
    id: uid,
    meta: lastUpdated ? { lastUpdated } : undefined,
    contained,
    identifier: [{ system: DICOM_UID_SYSTEM, value: `urn:oid:${uid}` }, ...accessions],
    status: 'available',
    modality: [...modality],
    subject: subject(record),
    started,
    basedOn: accessions.map((identifier): Reference => ({ type: 'ServiceRequest', identifier })),
    referrer: referrer ? { display: referrer } : undefined,
    endpoint,
    numberOfSeries: document.numberOfSeries,
    numberOfInstances: document.numberOfInstances,
    description: document.description,
    // Of a study in several archives each series has its own endpoint, too (IA-35).
    series: isSplit
      ? series.map((one) => ({ ...one, endpoint: endpoint.map((each) => ({ ...each })) }))
      : [...series],
  });
}

function subject({ patientId, study }: StudyRecord): Reference {
  if (patientId) return { reference: `Patient/${patientId}`, type: 'Patient' };
  const value = string(study, Tag.PatientID);
  const display = personNames(study, Tag.PatientName)[0];
  if (!value) return { type: 'Patient', display: display ?? 'Unknown patient' };
  const issuer = string(study, Tag.IssuerOfPatientID);
  return omitEmpty({
    type: 'Patient',
    identifier: omitEmpty({ value, assigner: issuer ? { display: issuer } : undefined }),
    display,
  });
}
