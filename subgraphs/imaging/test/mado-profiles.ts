import type {
  Bundle,
  CodeableConcept,
  Composition,
  Device,
  Endpoint,
  FhirResource,
  ImagingStudy,
  Organization,
} from 'fhir/r4.js';
import { complaints } from './fhir-judges.ts';

/** The profiles of a manifest (IHE RAD.MADO) as checks, for tests. */

export const PROFILES = 'https://profiles.ihe.net/RAD/MADO/StructureDefinition/';

export const resourceOf = <Type extends FhirResource>(bundle: Bundle, type: Type['resourceType']) =>
  bundle.entry!.find(({ resource }) => resource!.resourceType === type)!.resource as Type;

/** The entries of a manifest by their types. */
export const partsOf = (bundle: Bundle) => ({
  bundle,
  composition: resourceOf<Composition>(bundle, 'Composition'),
  study: resourceOf<ImagingStudy>(bundle, 'ImagingStudy'),
  device: resourceOf<Device>(bundle, 'Device'),
  organization: resourceOf<Organization>(bundle, 'Organization'),
  endpoints: bundle
    .entry!.filter(({ resource }) => resource!.resourceType === 'Endpoint')
    .map(({ resource }) => resource as Endpoint),
  url: (type: string) => bundle.entry!.find(({ resource }) => resource!.resourceType === type)!.fullUrl,
});
type Parts = ReturnType<typeof partsOf>;

const codesOf = ({ coding = [] }: CodeableConcept = {}) => coding.map(({ code }) => code);

/** The required elements of the profiles (IHE RAD.MADO), each with what must be true of it. */
const REQUIRED: readonly [element: string, isThere: (parts: Parts) => unknown][] = [
  ['Bundle.type', ({ bundle }) => bundle.type === 'document'],
  ['Bundle.identifier', ({ bundle }) => bundle.identifier?.system && bundle.identifier.value],
  ['Bundle.timestamp', ({ bundle }) => bundle.timestamp],
  ['Bundle.total is not allowed', ({ bundle }) => bundle.total === undefined],
  ['Bundle.entry', ({ bundle }) => bundle.entry!.length >= 3],
  [
    'Bundle.entry: Composition first',
    ({ bundle, composition }) => bundle.entry![0]!.resource === composition,
  ],
  ['Composition.text', ({ composition: { text } }) => text?.status !== 'empty' && text?.div],
  [
    'Composition.identifier',
    ({ composition, bundle }) => composition.identifier?.value === bundle.identifier!.value,
  ],
  ['Composition.type', ({ composition }) => codesOf(composition.type)[0] === '18748-4'],
  ['Composition.subject', ({ composition, url }) => composition.subject?.reference === url('Patient')],
  ['Composition.date', ({ composition }) => composition.date],
  ['Composition.title', ({ composition }) => composition.title],
  [
    'Composition.author: one device, one organization',
    ({ composition, url }) =>
      composition.author.map(({ reference }) => reference).join() ===
      [url('Device'), url('Organization')].join(),
  ],
  [
    'Composition.event.detail',
    ({ composition: { event }, url }) => event?.[0]?.detail?.[0]?.reference === url('ImagingStudy'),
  ],
  [
    'ImagingStudy.identifier: study UID',
    ({ study: { id, identifier } }) =>
      identifier!.filter(
        ({ system, type, value }) =>
          system === 'urn:dicom:uid' && codesOf(type).includes('110180') && value === `urn:oid:${id}`,
      ).length === 1,
  ],
  ['ImagingStudy.subject', ({ study, url }) => study.subject.reference === url('Patient')],
  ['ImagingStudy.numberOfSeries', ({ study }) => study.numberOfSeries === study.series!.length],
  [
    'ImagingStudy.procedureCode in words',
    ({ study }) =>
      study.procedureCode!.some(({ text, coding = [] }) => text ?? coding.some(({ display }) => display)),
  ],
  ['series.uid', ({ study }) => study.series!.every(({ uid }) => uid)],
  [
    'series.numberOfInstances',
    ({ study }) => study.series!.every((one) => one.numberOfInstances === one.instance!.length),
  ],
  [
    'series.endpoint: one of its own',
    ({ study, endpoints }) =>
      new Set(study.series!.map(({ endpoint }) => endpoint![0]!.reference)).size === endpoints.length &&
      endpoints.length === study.series!.length,
  ],
  [
    'series.instance: uid, sopClass',
    ({ study }) =>
      study.series!.every(({ instance }) => instance!.every(({ uid, sopClass }) => uid && sopClass)),
  ],
  ['Device.type', ({ device }) => codesOf(device.type).join() === 'mado-creator'],
  ['Device.manufacturer', ({ device }) => device.manufacturer],
  ['Device.owner', ({ device, url }) => device.owner?.reference === url('Organization')],
  ['Organization.name', ({ organization }) => organization.name],
  ['Endpoint.status', ({ endpoints }) => endpoints.every(({ status }) => status === 'active')],
  [
    'Endpoint.connectionType',
    ({ endpoints }) => endpoints.every(({ connectionType: { code } }) => code === 'dicom-wado-rs'),
  ],
  [
    'Endpoint.extension: retrieve-location-uid',
    ({ endpoints }) => endpoints.every((one) => /^[0-9.]{1,64}$/.test(locationOf(one) ?? '')),
  ],
  [
    'Endpoint.payloadType',
    ({ endpoints }) =>
      endpoints.every(
        ({ payloadType: [type] }) => type!.text === 'DICOM WADO-RS' && codesOf(type).join() === 'none',
      ),
  ],
  ['Endpoint.address', ({ endpoints }) => endpoints.every(({ address }) => address.startsWith('https://'))],
];

export const locationOf = ({ extension = [] }: Endpoint) =>
  extension.find(({ url }) => url === `${PROFILES}MadoRetrieveLocationUIDExtension`)?.valueString;

const PROFILE_OF: Record<string, string> = {
  Composition: 'MadoComposition',
  ImagingStudy: 'MadoImagingStudy',
  Patient: 'MadoPatient',
  Device: 'MadoCreator',
  Organization: 'MadoCreatorOrganization',
  Endpoint: 'MadoWadoEndpoint',
};

/** Returns what a manifest lacks: required elements, profiles, references that lead nowhere, faults of the validators. */
export function faultsOf(bundle: Bundle): string[] {
  const parts = partsOf(bundle);
  const lacking = REQUIRED.filter(([, isThere]) => !isThere(parts));
  const urls = new Set(bundle.entry!.map(({ fullUrl }) => fullUrl));
  const references = [...JSON.stringify(bundle).matchAll(/"reference":"([^"]*)"/g)].map(([, one]) => one);
  const wrong = bundle.entry!.filter(
    ({ resource }) => resource!.meta?.profile?.[0] !== PROFILES + PROFILE_OF[resource!.resourceType]!,
  );
  return [
    ...lacking.map(([element]) => element),
    ...references.filter((one) => !urls.has(one)).map((one) => `leads nowhere: ${one}`),
    ...wrong.map(({ resource }) => `profile of ${resource!.resourceType}`),
    ...(urls.size === bundle.entry!.length ? [] : ['two entries have one fullUrl']),
    ...complaints(literal(bundle)),
  ];
}

/** The same with references such as `Patient/2`: a validator knows the types of no others. */
function literal(bundle: Bundle): Bundle {
  const names = new Map(
    bundle.entry!.map(({ fullUrl, resource }, index) => [fullUrl!, `${resource!.resourceType}/${index}`]),
  );
  return JSON.parse(JSON.stringify(bundle), (name, value: unknown) =>
    name === 'reference' ? (names.get(value as string) ?? value) : value,
  ) as Bundle;
}
