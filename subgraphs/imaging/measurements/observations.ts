import { isCode } from '../../../schema/dicom/code.ts';
import { hash } from 'node:crypto';
import type { Observation, Reference } from 'fhir/r4.js';
import { items, Tag, type DicomJson } from '../../../schema/dicom/dicom.ts';
import { DICOM_UID_SYSTEM } from '../../../schema/fhir/fhir.ts';
import { fhirDateTime } from '../dicom/dicom-date.ts';
import { string, uid } from '../dicom/dicom-text.ts';
import { omitEmpty } from '../dicom/omit-empty.ts';
import type { ContentItem, ContentTree } from './content-tree.ts';
import { measuredValue } from './measured-value.ts';
import {
  componentOf,
  contextWithin,
  type MeasuredObject,
  type MeasurementContext,
} from './measurement-context.ts';
import { srCodeOf, conceptOf } from './sr-code.ts';
import { Concept } from './templates.ts';

/** Images that one Observation names; of more, only their series are named. */
const MAX_INSTANCES = 20;

/** The part of an Observation that does not depend on the caller: all but the subject. */
export type MeasuredObservation = Omit<Observation, 'subject'>;

/** Facts of a report for all its Observations. */
interface Report {
  sopInstanceUid: string;
  studyUid: string;
  title: string | undefined;
  status: Observation['status'];
  /** FHIR dateTime of the images, which a report may describe much later. */
  effective: string | undefined;
  /** Series of referenced objects. */
  seriesOf: ReadonlyMap<string, string>;
}

/** Value types of items that are Observations. */
const MEASURED = new Set(['NUM', 'CODE']);

const NOTHING: MeasurementContext = { components: [], objects: [] };

/**
 * Returns the measurements of a structured report as Observations: every NUM item, and the coded findings of measurement
 * groups (TID 1501) and of CAD reports (TID 4003, 4104).
 */
export function observationsOf(dataset: DicomJson, tree: ContentTree): MeasuredObservation[] {
  const report = reportOf(dataset, tree);
  const found: MeasuredObservation[] = [];
  const walk = (item: ContentItem, context: MeasurementContext): void => {
    const inGroup = isCode(item.name, Concept.MeasurementGroup);
    for (const child of item.children) {
      // The properties of a measurement are its components.
      if (item.type === 'NUM' && child.relationship === 'HAS PROPERTIES') continue;
      if (child.children.length === 0 && !MEASURED.has(child.type ?? '')) continue;
      const isFinding = child.type === 'CODE' && isOwnFinding(child, inGroup);
      const within = contextWithin(child, context, tree);
      if (child.type === 'NUM' && child.name)
        found.push(observation(child, within, { report, ...measuredValue(child.dataset, tree.schemes) }));
      if (isFinding && child.name) {
        const value = srCodeOf(child.dataset, '0040A168', tree.schemes);
        if (value) found.push(observation(child, within, { report, valueCodeableConcept: conceptOf(value) }));
      }
      // The objects from which a number was computed have the context that is around the number.
      const about = child.type === 'NUM' ? context : within;
      walk(
        child,
        isFinding ? { ...about, components: [...about.components, ...componentOf(child, tree)] } : about,
      );
    }
  };
  walk(tree.root, NOTHING);
  return found;
}

function isOwnFinding({ name, relationship }: ContentItem, inGroup: boolean): boolean {
  if (isCode(name, Concept.CadFinding)) return true;
  if (!inGroup || relationship !== 'CONTAINS') return false;
  return ![Concept.Finding, Concept.FindingSite, Concept.MeasurementMethod].some((one) => isCode(name, one));
}

function observation(
  { name, path }: ContentItem,
  { trackingId, trackingUid, site, method, components, objects }: MeasurementContext,
  { report, ...value }: { report: Report } & Partial<Observation>,
): MeasuredObservation {
  return omitEmpty<MeasuredObservation>({
    resourceType: 'Observation',
    id: `sr-${hash('sha256', `${report.sopInstanceUid}\n${path}`, 'hex').slice(0, 40)}`,
    meta: { source: `urn:oid:${report.sopInstanceUid}` },
    identifier: [
      ...(trackingUid === undefined ? [] : [{ system: DICOM_UID_SYSTEM, value: `urn:oid:${trackingUid}` }]),
      ...(trackingId === undefined ? [] : [{ value: trackingId }]),
    ],
    status: report.status,
    category: [{ coding: [IMAGING] }],
    code: conceptOf(name!),
    effectiveDateTime: report.effective,
    ...value,
    bodySite: site,
    method,
    derivedFrom: [
      { reference: `ImagingStudy/${report.studyUid}`, type: 'ImagingStudy' },
      ...objectReferences(objects, report),
      dicomReference('DocumentReference', report.sopInstanceUid, report.title ?? 'Structured report'),
    ],
    component: [...components],
  } as MeasuredObservation);
}

const IMAGING = {
  system: 'http://terminology.hl7.org/CodeSystem/observation-category',
  code: 'imaging',
  display: 'Imaging',
};

/** Refers to the measured images by their UIDs. R4 has no resource for a part of a study; Media is the nearest. */
function objectReferences(objects: readonly MeasuredObject[], { seriesOf }: Report): Reference[] {
  const instances = objects.filter(({ kind }) => kind === 'instance');
  const series = new Set(objects.filter(({ kind }) => kind === 'series').map((one) => one.uid));
  const isMany = instances.length > MAX_INSTANCES;
  if (isMany) for (const one of instances) if (seriesOf.has(one.uid)) series.add(seriesOf.get(one.uid)!);
  return [
    ...[...series].slice(0, MAX_INSTANCES).map((one) => dicomReference('Media', one, `series ${one}`)),
    ...(isMany ? [] : instances).map((one) => {
      const within = seriesOf.get(one.uid);
      const frames = one.frames.length > 0 ? `, frame ${one.frames.slice(0, 100).join(', ')}` : '';
      return dicomReference(
        'Media',
        one.uid,
        `${within ? `series ${within}, ` : ''}instance ${one.uid}${frames}`,
      );
    }),
  ];
}

function dicomReference(type: string, of: string, display: string): Reference {
  return { type, identifier: { system: DICOM_UID_SYSTEM, value: `urn:oid:${of}` }, display };
}

function reportOf(dataset: DicomJson, { root }: ContentTree): Report {
  return {
    sopInstanceUid: uid(dataset, Tag.SOPInstanceUID) ?? '',
    studyUid: uid(dataset, Tag.StudyInstanceUID) ?? '',
    title: root.name?.meaning,
    status: statusOf(dataset),
    effective: timeOf(dataset, Tag.StudyDate, Tag.StudyTime) ?? timeOf(dataset, CONTENT_DATE, CONTENT_TIME),
    seriesOf: seriesOfReferenced(dataset),
  };
}

const CONTENT_DATE = '00080023';
const CONTENT_TIME = '00080033';

function timeOf(dataset: DicomJson, date: string, time: string): string | undefined {
  const offset = string(dataset, Tag.TimezoneOffsetFromUTC);
  return fhirDateTime(string(dataset, date), string(dataset, time), offset);
}

/** Reads Completion and Verification Flag (PS3.3 §C.17.2): only what is complete and verified is final. */
export function statusOf(dataset: DicomJson): Observation['status'] {
  const completion = string(dataset, '0040A491');
  const verification = string(dataset, '0040A493');
  if (string(dataset, '0040A496') === 'PRELIMINARY' || completion === 'PARTIAL') return 'preliminary';
  if (completion !== 'COMPLETE') return 'unknown';
  return verification === 'VERIFIED' ? 'final' : 'preliminary';
}

/** Reads the evidence sequences: SOP Instance UID → Series Instance UID. */
function seriesOfReferenced(dataset: DicomJson): Map<string, string> {
  const found = new Map<string, string>();
  for (const study of ['0040A375', '0040A385'].flatMap((tag) => items(dataset, tag))) {
    for (const series of items(study, '00081115')) {
      const within = uid(series, Tag.SeriesInstanceUID);
      for (const sop of within ? items(series, '00081199') : []) {
        const instance = uid(sop, '00081155');
        if (instance) found.set(instance, within!);
      }
    }
  }
  return found;
}
