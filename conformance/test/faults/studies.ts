import { alters, asks, foreignStudy, header, status, type Body, type Row } from './row.ts';

/** Alters each ImagingStudy of a search. */
const eachStudy = (alter: (study: Body) => void) => () =>
  alters(/\/ImagingStudy\?/, ({ entry = [] }) => {
    for (const { resource } of entry) if (resource.resourceType === 'ImagingStudy') alter(resource);
  });
/** Alters each Endpoint of a search, wherever it is. */
const eachEndpoint = (alter: (endpoint: Body) => void) => () =>
  alters(/\/ImagingStudy\?/, ({ entry = [] }) => {
    for (const { resource } of entry)
      for (const one of [resource, ...(resource.contained ?? [])])
        if (one.resourceType === 'Endpoint') alter(one);
  });
const FHIR_CHECKS = ['IA-13', 'IA-14', 'IA-15', 'IA-17', 'IA-18', 'IA-20', 'IA-38'];

/** Faults of ImagingStudy and Endpoint. */
export const STUDIES: readonly Row[] = [
  {
    fault: 'a search by patient finds another patient',
    only: ['IA-13/by-patient', 'IA-13/patient-forms', 'IA-15/identifier', 'IA-20'],
    found: ['IA-13/by-patient', 'IA-13/patient-forms'],
    plant: (options) =>
      alters(/\?patient=[^&]*&_include/, ({ entry = [], ...bundle }) => ({
        ...bundle,
        entry: [...entry, foreignStudy(options)],
      })),
  },
  {
    fault: 'a search that ignores _lastUpdated',
    only: FHIR_CHECKS,
    found: ['IA-13/last-updated'],
    plant: () => asks(/&_lastUpdated=[^&]*/, ''),
  },
  {
    fault: 'a search that ignores identifier',
    only: [...FHIR_CHECKS, 'IA-7/foreign-imaging-study'],
    found: ['IA-13/identifier'],
    plant: () => asks(/&identifier=[^&]*/, ''),
  },
  {
    fault: 'the Endpoint is not included',
    only: ['IA-13', 'IA-14', 'IA-15', 'IA-18', 'IA-20'],
    found: ['IA-14/include-endpoint'],
    plant: () =>
      alters(/_include/, ({ entry, ...bundle }) => ({
        ...bundle,
        entry: entry.filter(({ search }: Body) => search.mode !== 'include'),
      })),
  },
  {
    fault: 'a study refers to an Endpoint that it does not contain',
    only: FHIR_CHECKS,
    found: ['IA-18/endpoint-resolves'],
    plant: eachStudy((study) => void delete study.contained),
  },
  {
    fault: 'an Endpoint that is not in the page cannot be read',
    only: FHIR_CHECKS,
    found: ['IA-18/endpoint-resolves'],
    plant: eachStudy((study) => {
      if (study.endpoint[0].reference.startsWith('#')) study.endpoint[0].reference = 'Endpoint/none';
    }),
  },
  {
    fault: 'the Bundle has the wrong media type',
    only: ['IA-20', 'IA-14', 'IA-15', 'IA-17'],
    found: ['IA-20/bundle'],
    plant: () => header(/_include/, 'content-type', 'application/json'),
  },
  {
    fault: 'the Bundle has a relative fullUrl and no mode',
    only: ['IA-13', 'IA-15', 'IA-17', 'IA-20'],
    found: ['IA-20/bundle'],
    plant: () =>
      alters(/_include/, ({ entry = [] }) => {
        for (const one of entry) Object.assign(one, { fullUrl: '/ImagingStudy', search: undefined });
      }),
  },
  {
    fault: 'an error is a page of HTML',
    only: FHIR_CHECKS,
    found: ['IA-20/error'],
    plant: () => ({
      answer(exchange) {
        if (exchange.status !== 404) return;
        exchange.headers['content-type'] = 'text/html';
        exchange.body = Buffer.from('<html>Not found</html>');
      },
    }),
  },
  {
    fault: 'an unknown parameter is said to be applied',
    only: FHIR_CHECKS,
    found: ['IA-38/unknown-parameter'],
    plant: () =>
      alters(/no-such-parameter/, ({ link }) => void (link && (link[0].url += '&no-such-parameter=1'))),
  },
  {
    fault: 'the identifier urn:dicom:uid is missing',
    only: FHIR_CHECKS,
    found: ['IA-15/identifier'],
    plant: eachStudy((study) => void (study.identifier = study.identifier.slice(1))),
  },
  {
    fault: 'a study has no modality',
    only: FHIR_CHECKS,
    found: ['IA-15/members'],
    plant: eachStudy((study) => void delete study.modality),
  },
  {
    fault: 'a study that was found cannot be read',
    only: FHIR_CHECKS,
    found: ['IA-15/read'],
    plant: () => status(/\/ImagingStudy\/2\.25\.(?!2309)/, 404),
  },
  {
    fault: 'a study tells fewer instances than it has',
    only: ['IA-15', 'IA-16'],
    found: ['IA-16/counts'],
    plant: eachStudy((study) => void study.numberOfInstances--),
  },
  {
    fault: 'the wrong connection type',
    only: FHIR_CHECKS,
    found: ['IA-17/connection-type'],
    plant: eachEndpoint(({ connectionType }) => void (connectionType.code = 'dicom-wado-uri')),
  },
  {
    fault: 'the address of an Endpoint is relative',
    only: FHIR_CHECKS,
    found: ['IA-17/address'],
    plant: eachEndpoint((endpoint) => void (endpoint.address = '/demo/dicomweb')),
  },
  {
    fault: 'an Endpoint has no payload type',
    only: FHIR_CHECKS,
    found: ['IA-17/members'],
    plant: eachEndpoint((endpoint) => void delete endpoint.payloadType),
  },
  {
    fault: 'an Endpoint does not say that it needs a token',
    only: FHIR_CHECKS,
    found: ['IA-17/requires-access-token'],
    plant: eachEndpoint((endpoint) => void delete endpoint.extension),
  },
];
