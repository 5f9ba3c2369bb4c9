import { searchParameters, resourceTypes } from '../../../schema/fhir/tables.ts';
import { wellFormed } from '../../../subgraphs/imaging/test/fuzz/random.ts';
import type { Random } from '../setup/random.ts';
import type { Target } from '../../../subgraphs/imaging/test/fuzz/target.ts';
import { FuzzedGateway, holdReadable, type Asked } from './fuzzed-gateway.ts';

/** Limits of the gateway: bytes of a URL and of a form. */
const LONGEST_URL = 15_000;
const LONGEST_FORM = 250_000;

const CONTROLS = [
  '_id',
  '_lastUpdated',
  '_count',
  '_offset',
  '_sort',
  '_include',
  '_revinclude',
  '_elements',
  '_summary',
  '_total',
  '_format',
  '_pretty',
  '_filter',
  '_has:Observation:patient:code',
  '_cursor',
  '_contained',
  'patient',
  'subject',
  'patient.identifier',
  'subject.name',
  'identifier',
  'encounter.type',
  '_type',
];
const MODIFIERS = [
  ':exact',
  ':contains',
  ':missing',
  ':not',
  ':in',
  ':above',
  ':text',
  ':Patient',
  ':',
  ':x',
];
const QIDO = [
  'PatientID',
  'PatientName',
  'StudyDate',
  'StudyInstanceUID',
  '0020000D',
  'ModalitiesInStudy',
  'limit',
  'offset',
  'includefield',
  'fuzzymatching',
  '00081190',
  'AccessionNumber',
  '0008,0060',
  'ReferringPhysicianName',
];
const VALUES = [
  '',
  '*',
  '?',
  '%',
  '%00',
  '%ff',
  '\\',
  "'",
  '"',
  ',',
  '|',
  '||',
  '$',
  '\\,',
  '-1',
  '1e308',
  '0',
  '9e9',
  '1',
  'Patient/1',
  'Patient/../Patient',
  '../..',
  'http://x/y|z',
  'urn:oid:1.2.3',
  'a:b:c',
  'ImagingStudy:endpoint',
  '2024',
  'ge2024-01-01',
  'sa2024-02-30',
  'ap1',
  'lt2024-01-01T00:00:00Z',
  '20240101-',
  '-',
  '1.2.3\\4',
  '87a339d0-8cae-418e-89c7-8651e6aab3c6',
  'Patient/87a339d0-8cae-418e-89c7-8651e6aab3c6',
  'true',
  'null',
  '8302-2',
  'http://loinc.org|8302-2',
  'family,-birthdate',
  '😀',
  '\ud800',
  '\u202e',
  'a'.repeat(300),
];

let gateway: FuzzedGateway;

/** Searches by FHIR REST and QIDO-RS with invalid parameters, or far too many of them. */
export const searchUrls: Target = {
  name: 'search-urls',
  async open() {
    gateway = await FuzzedGateway.shared();
    for (const path of [
      '/fuzz/dicomweb/studies',
      '/fuzz/fhir/ImagingStudy',
      '/fuzz/fhir/Observation?_count=1',
    ])
      await gateway.ask({ method: 'GET', path, headers: {} });
  },
  async run(random) {
    const asked = search(random);
    await gateway.watched(async () => {
      holdReadable(await gateway.ask(asked), `${asked.method} ${asked.path} ${asked.body ?? ''}`);
    });
  },
};

function search(random: Random): Asked {
  const isQido = random.chance(0.3);
  const type = random.of(resourceTypes);
  const names = isQido ? QIDO : [...CONTROLS, ...searchParameters(type).map(({ code }) => code)];
  const pairs = Array.from({ length: 1 + random.below(5) }, () => pair(names, isQido, random));
  const query = (random.chance(0.2) ? many(pairs, random) : pairs).join('&');
  const headers: Record<string, string> = random.chance(0.3) ? { prefer: 'handling=strict' } : {};
  if (isQido) {
    const path = random.of([
      '/studies',
      '/series',
      '/instances',
      '/studies/1.2.3/series',
      '/studies/1.2.3/instances',
    ]);
    return { method: 'GET', path: `/fuzz/dicomweb${path}?${query.slice(0, LONGEST_URL)}`, headers };
  }
  if (random.chance(0.7))
    return { method: 'GET', path: `/fuzz/fhir/${type}?${query.slice(0, LONGEST_URL)}`, headers };
  headers['content-type'] = 'application/x-www-form-urlencoded';
  const body = query.slice(0, LONGEST_FORM);
  return { method: 'POST', path: `/fuzz/fhir/${type}/_search`, headers, body };
}

function pair(names: readonly string[], isQido: boolean, random: Random): string {
  const name = random.of(names) + (!isQido && random.chance(0.2) ? random.of(MODIFIERS) : '');
  const values = Array.from({ length: random.chance(0.2) ? 1 + random.below(2000) : 1 }, () =>
    random.of(VALUES),
  );
  const value = values.join(random.of([',', '\\', '|', '$', ' ']));
  return `${encodeURIComponent(name)}=${random.chance(0.1) ? escapedBadly(value) : encoded(value)}`;
}

/** Repeats the pairs many times. */
function many(pairs: readonly string[], random: Random): string[] {
  return Array.from({ length: 1 + random.below(3000) }, () => random.of(pairs));
}

function encoded(text: string): string {
  return encodeURIComponent(wellFormed(text));
}

/** Leaves characters that HTTP allows in a URL, incomplete percent escapes among them. */
function escapedBadly(text: string): string {
  return text.replace(/[^!-"$-~]/g, '%');
}
