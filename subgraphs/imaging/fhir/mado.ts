import type {
  Bundle,
  CodeableConcept,
  Coding,
  Composition,
  Device,
  Endpoint,
  FhirResource,
  Identifier,
  ImagingStudy,
  ImagingStudySeries,
  Organization,
  Patient,
} from 'fhir/r4.js';
import { createHash, randomUUID } from 'node:crypto';
import { items, Tag, type DicomJson } from '../../../schema/dicom/dicom.ts';
import { Fault } from '../../../schema/fault/fault.ts';
import { noSuchResource } from '../../../schema/fault/refusals.ts';
import { DICOM_UID_SYSTEM } from '../../../schema/fhir/fhir.ts';
import type { RecordOperation } from '../../../schema/access/audit.ts';
import { fhirBase } from '../../../schema/http/request.ts';
import type { Tenant } from '../../../schema/tenant/tenant.ts';
import { string, uid, unsignedInt } from '../dicom/dicom-text.ts';
import { omitEmpty } from '../dicom/omit-empty.ts';
import { codeSystem } from '../measurements/sr-code.ts';
import { escaped } from '../render/document/markup.ts';
import type { AuthorizedStudies } from '../study/authorized-studies.ts';
import { studyDocument } from '../study/document/study-document.ts';
import type { StudyRecord } from '../study/study-records.ts';
import { readStudy, type ResourceOptions } from './find.ts';
import { madoMeta, recordPatient, statedPatient, MADO } from './mado-patient.ts';
import { capabilityEndpoint } from './study-endpoint.ts';

/**
 * The manifest of a study as a FHIR document (IA-47): Manifest-based Access to DICOM Objects (MADO) of IHE Radiology, for
 * trial implementation. Each reference is the `fullUrl` of an entry.
 */

const DCM = 'http://dicom.nema.org/resources/ontology/DCM';

/** Addresses and codes of MADO, which may still change. */
const CODES = {
  creator: { system: `${MADO}/CodeSystem/MadoDeviceType`, code: 'mado-creator', display: 'MADO Creator' },
  document: { system: 'http://loinc.org', code: '18748-4', display: 'Diagnostic imaging study' },
  studyUid: { system: DCM, code: '110180', display: 'Study Instance UID' },
  accession: { system: DCM, code: '121022', display: 'Accession Number' },
  payload: { system: 'http://terminology.hl7.org/CodeSystem/endpoint-payload-type', code: 'none' },
} as const satisfies Record<string, Coding>;
const RETRIEVE_LOCATION = `${MADO}/StructureDefinition/MadoRetrieveLocationUIDExtension`;
const NUMBER_OF_FRAMES = `${MADO}/StructureDefinition/MadoNumberOfFrames`;

/** The software that makes manifests. */
const SOFTWARE = 'SMART Imaging Gateway';

/** The parts of which a manifest is made. */
interface Parts {
  /** With its instances. */
  record: StudyRecord;
  /** The resource of both halves. */
  study: ImagingStudy;
  /** Only the series that can be retrieved. */
  series: readonly ImagingStudySeries[];
  patient: Patient;
  organization: NonNullable<Tenant['organization']>;
  /** That leads to all series; without what MADO adds. */
  endpoint: Endpoint;
  /** Public base of the tenant's FHIR API. */
  base: string;
  now: Date;
}

/**
 * Makes the manifest of a study.
 * @param id as for a read of ImagingStudy
 * @throws Fault `not_implemented` for a tenant without an organization; `not_found` for a study that is unknown or out of
 *   reach (IA-7), and for one without images here
 */
export async function madoManifest(
  imaging: AuthorizedStudies,
  id: string,
  options: ResourceOptions,
  audit: RecordOperation | undefined,
): Promise<Bundle> {
  const { tenant } = imaging;
  const { organization } = tenant;
  if (!organization)
    throw new Fault(
      'not_implemented',
      'This server makes no manifests: its operator has not named the organization that answers for them ' +
        '("organization" in the tenant file).',
    );
  const found = await readStudy(imaging, id, 'instance', options);
  if (!found) throw noSuchResource();
  const { record, study } = found;
  const held = new Set(record?.instances?.map((row) => uid(row, Tag.SeriesInstanceUID)));
  const series = (study.series ?? []).filter((one) => held.has(one.uid) && one.instance?.length);
  if (!record || series.length === 0)
    throw new Fault('not_found', 'No images of this study are here, so there is no manifest of it.');
  const addressed = { uid: study.id!, ...(record.patientId && { patientId: record.patientId }) };
  return manifestOf({
    record,
    study,
    series,
    patient: (await recordPatient(imaging, found, options, audit)) ?? statedPatient(record),
    organization,
    endpoint: await capabilityEndpoint(imaging, addressed, options),
    base: fhirBase(options.baseUrl, tenant),
    now: new Date(options.now() * 1000),
  });
}

function manifestOf(parts: Parts): Bundle {
  const { study, patient, base, now } = parts;
  const urls = {
    study: `${base}/ImagingStudy/${study.id}`,
    patient: patient.id ? `${base}/Patient/${patient.id}` : newUrl(),
    organization: newUrl(),
    device: newUrl(),
  };
  const identifier = {
    system: DICOM_UID_SYSTEM,
    value: `urn:oid:${uidOf(randomUUID().replaceAll('-', ''))}`,
  };
  const endpoints = parts.series.map(() => ({ fullUrl: newUrl(), resource: seriesEndpoint(parts) }));
  const entries: readonly { fullUrl: string; resource: FhirResource }[] = [
    { fullUrl: newUrl(), resource: composition(parts, urls, identifier) },
    {
      fullUrl: urls.study,
      resource: imagingStudy(
        parts,
        urls.patient,
        endpoints.map(({ fullUrl }) => fullUrl),
      ),
    },
    { fullUrl: urls.patient, resource: patient },
    { fullUrl: urls.device, resource: device(urls.organization) },
    { fullUrl: urls.organization, resource: organizationOf(parts) },
    ...endpoints,
  ];
  return {
    resourceType: 'Bundle',
    meta: madoMeta('MadoFhirBundle'),
    identifier,
    type: 'document',
    timestamp: now.toISOString(),
    entry: [...entries],
  };
}

const newUrl = (): string => `urn:uuid:${randomUUID()}`;

/** Returns a UID under 2.25 (PS3.5 §B.2). @param hex 32 digits */
const uidOf = (hex: string): string => `2.25.${BigInt(`0x${hex}`)}`;

function composition(
  parts: Parts,
  urls: Record<'study' | 'patient' | 'organization' | 'device', string>,
  identifier: Identifier,
): Composition {
  const { study, series, patient, organization, now } = parts;
  const title = procedureWords(parts);
  const rows: readonly [string, string | undefined][] = [
    ['Imaging study', title],
    ['Patient', patient.name?.map(({ text, given = [], family }) => text ?? [...given, family].join(' '))[0]],
    ['Born', patient.birthDate],
    ['Date of the study', study.started],
    ['Modalities', study.modality?.map(({ display, code }) => display ?? code).join(', ')],
    ['Study Instance UID', study.id],
    ['Series', String(series.length)],
    ['Manifest made', `${now.toISOString()} by ${organization.name} (${SOFTWARE})`],
  ];
  const cells = rows.flatMap(([name, value]) =>
    value ? [`<tr><th>${escaped(name)}</th><td>${escaped(value)}</td></tr>`] : [],
  );
  const table = `<table><tbody>${cells.join('')}</tbody></table>`;
  return {
    resourceType: 'Composition',
    meta: madoMeta('MadoComposition'),
    text: { status: 'generated', div: `<div xmlns="http://www.w3.org/1999/xhtml">${table}</div>` },
    identifier,
    status: 'final',
    type: { coding: [CODES.document] },
    category: [{ coding: [CODES.document] }],
    subject: { reference: urls.patient },
    date: now.toISOString(),
    author: [{ reference: urls.device }, { reference: urls.organization }],
    title,
    custodian: { reference: urls.organization },
    event: [{ detail: [{ reference: urls.study }] }],
  };
}

/** @param endpoints of each series, in their order */
function imagingStudy(parts: Parts, patientUrl: string, endpoints: readonly string[]): ImagingStudy {
  const { record, study, series } = parts;
  const rows = new Map(record.instances!.map((row) => [uid(row, Tag.SOPInstanceUID), row]));
  const accessions = studyDocument(record).accessions.map(madoAccession);
  const order = accessions.find(({ system }) => system);
  return omitEmpty<ImagingStudy>({
    resourceType: 'ImagingStudy',
    id: study.id,
    meta: madoMeta('MadoImagingStudy'),
    identifier: [
      { type: { coding: [CODES.studyUid] }, system: DICOM_UID_SYSTEM, value: `urn:oid:${study.id}` },
      ...accessions,
    ],
    status: study.status,
    modality: study.modality,
    subject: { reference: patientUrl },
    started: study.started,
    // MADO takes only a number whose issuer is known.
    basedOn: order && [{ type: 'ServiceRequest', identifier: order }],
    numberOfSeries: series.length,
    numberOfInstances: series.reduce((sum, { instance = [] }) => sum + instance.length, 0),
    procedureCode: procedureCodes(parts),
    description: study.description,
    series: series.map((one, index) => seriesElement(one, rows, endpoints[index]!)),
  });
}

function seriesElement(
  series: ImagingStudySeries,
  rows: ReadonlyMap<string | undefined, DicomJson>,
  endpoint: string,
): ImagingStudySeries {
  const { uid, number, modality, description, bodySite, laterality, started, instance = [] } = series;
  return omitEmpty<ImagingStudySeries>({
    uid,
    number,
    modality,
    description,
    numberOfInstances: instance.length,
    endpoint: [{ reference: endpoint, type: 'Endpoint' }],
    bodySite,
    laterality,
    started,
    instance: instance.map((one) => {
      const row = rows.get(one.uid);
      const frames = row && unsignedInt(row, Tag.NumberOfFrames);
      if (frames === undefined) return one;
      return { extension: [{ url: NUMBER_OF_FRAMES, valueInteger: frames }], ...one };
    }),
  });
}

/** Returns an accession number with both codes that MADO asks for. */
function madoAccession({ type, ...number }: Identifier): Identifier {
  return { type: { coding: [...(type?.coding ?? []), CODES.accession] }, ...number };
}

/** Returns the procedures that people can read: of the record, else of the archive, else the study in words. */
function procedureCodes(parts: Parts): CodeableConcept[] {
  const { study, record } = parts;
  const own = study.procedureCode ?? items(record.study, PROCEDURE_CODES).flatMap(procedureIn);
  const readable = own.filter(({ text, coding = [] }) => text || coding.some(({ display }) => display));
  return readable.length > 0 ? readable : [{ text: studyWords(study) }];
}

function procedureIn(item: DicomJson): CodeableConcept[] {
  const [code, scheme, meaning] = [
    string(item, '00080100'),
    string(item, '00080102'),
    string(item, '00080104'),
  ];
  const system = scheme && codeSystem(scheme);
  if (!meaning) return [];
  return [{ ...(code && system && { coding: [{ system, code, display: meaning }] }), text: meaning }];
}

const PROCEDURE_CODES = '00081032';

function procedureWords(parts: Parts): string {
  const [{ text, coding = [] } = {}] = procedureCodes(parts);
  return text ?? coding.find(({ display }) => display)!.display!;
}

function studyWords({ description, modality = [] }: ImagingStudy): string {
  return description ?? `Imaging study (${modality.map(({ display, code }) => display ?? code).join(', ')})`;
}

/** Returns the Endpoint of one series: MADO wants one for each. */
function seriesEndpoint({ endpoint, organization, base }: Parts): Endpoint {
  const { extension = [] } = endpoint;
  const location =
    organization.locationUid ?? uidOf(createHash('sha256').update(base).digest('hex').slice(0, 32));
  return {
    ...endpoint,
    meta: madoMeta('MadoWadoEndpoint'),
    extension: [{ url: RETRIEVE_LOCATION, valueString: location }, ...extension],
    payloadType: [{ coding: [CODES.payload], text: 'DICOM WADO-RS' }],
  };
}

function device(organizationUrl: string): Device {
  return {
    resourceType: 'Device',
    meta: madoMeta('MadoCreator'),
    deviceName: [{ name: SOFTWARE, type: 'model-name' }],
    type: { coding: [CODES.creator] },
    manufacturer: SOFTWARE,
    owner: { reference: organizationUrl },
  };
}

function organizationOf({ organization: { name, identifier } }: Parts): Organization {
  return {
    resourceType: 'Organization',
    meta: madoMeta('MadoCreatorOrganization'),
    ...(identifier && { identifier: [identifier] }),
    name,
  };
}
