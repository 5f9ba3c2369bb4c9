import { attributesOf, DICOM_JSON, TAG, valuesOf, type Attribute } from '../dicom-json.ts';
import { describe, expectNone, expectRows, expectSame } from '../expectations.ts';
import { isObject } from '../json.ts';
import { Deviation, NotApplicable } from '../outcome.ts';
import type { Check } from '../requirement.ts';
import type { Subject } from '../subject.ts';

const NUMBERS = new Set(['FD', 'FL', 'SL', 'SS', 'UL', 'US']);
/** A number, or a text if a number would lose digits. */
const DECIMALS = new Set(['DS', 'IS', 'SV', 'UV']);
const BINARY = new Set(['OB', 'OD', 'OF', 'OL', 'OV', 'OW', 'UN']);

/** Returns what is wrong with the JSON of an attribute, PS3.18 §F.2. */
function problemOf({ path, vr, values }: Attribute): string[] {
  if (typeof vr !== 'string' || !/^[A-Z]{2}$/.test(vr)) return [`${path} has no vr`];
  const right = (value: unknown) => {
    if (value === null) return true;
    if (NUMBERS.has(vr)) return typeof value === 'number';
    if (DECIMALS.has(vr)) return value !== '' && !Number.isNaN(Number(value));
    if (vr === 'PN' || vr === 'SQ') return isObject(value);
    return BINARY.has(vr) || typeof value === 'string';
  };
  const wrong = values.find((value) => !right(value));
  return wrong === undefined
    ? []
    : [`${path} (${vr}) has the ${typeof wrong} ${JSON.stringify(wrong).slice(0, 60)}`];
}

/** Returns the addresses of bulk data in the metadata, absolute. */
async function bulkAddresses(subject: Subject): Promise<{ path: string; url: string }[]> {
  const { url: study } = await subject.study();
  const attributes = (await subject.metadata()).flatMap((object) => [...attributesOf(object)]);
  // A relative address is relative to that of the metadata (PS3.18 §F.2.2).
  return attributes.flatMap(({ path, bulkDataUri }) =>
    typeof bulkDataUri === 'string' ? [{ path, url: new URL(bulkDataUri, `${study}/metadata`).href }] : [],
  );
}

async function firstBulkData(subject: Subject): Promise<string> {
  const { base } = await subject.study();
  const [first] = (await bulkAddresses(subject)).filter(({ url }) => url.startsWith(`${base}/`));
  if (!first) throw new NotApplicable('the metadata have no bulk data at this server');
  return first.url;
}

/** Metadata and bulk data, PS3.18 §10.4.1.1.2 and §10.4.1.1.5. */
export const METADATA: readonly Check[] = [
  {
    id: 'DW-6',
    name: 'levels',
    level: 'MUST',
    sentence: 'The metadata of a study, a series and an instance are DICOM JSON, and agree.',
    expected: '200 application/dicom+json with the same objects',
    async run(subject) {
      const { base, study, seriesUrl, url, series, instance } = await subject.image();
      const read = async (place: string) =>
        expectRows(await subject.get(`${place}/metadata`, { accept: DICOM_JSON }));
      const all = await read(`${base}/studies/${study}`);
      const ofSeries = all.filter((one) => valuesOf([one], TAG.series)[0] === series);
      expectSame(
        valuesOf(await read(seriesUrl), TAG.sopInstance),
        valuesOf(ofSeries, TAG.sopInstance),
        'series',
      );
      expectSame(valuesOf(await read(url), TAG.sopInstance), [instance], 'instance');
      expectSame([...new Set(valuesOf(all, TAG.study))], [study], 'Study Instance UID');
      return `${all.length} objects`;
    },
  },
  {
    id: 'DW-6',
    name: 'values',
    level: 'MUST',
    sentence:
      'In the metadata every attribute has its vr; numbers are numbers, and names of persons are objects.',
    expected: 'JSON by PS3.18 §F.2',
    async run(subject) {
      const attributes = (await subject.metadata()).flatMap((object) => [...attributesOf(object)]);
      expectNone(attributes.flatMap(problemOf).slice(0, 5));
      return `${attributes.length} attributes`;
    },
  },
  {
    id: 'DW-4',
    name: 'bulk-data-address',
    level: 'MUST',
    sentence: 'Addresses of bulk data lead to the public address of the server, never to another host.',
    expected: 'each BulkDataURI below the DICOMweb base',
    async run(subject) {
      const { base } = await subject.study();
      const addresses = await bulkAddresses(subject);
      if (addresses.length === 0) throw new NotApplicable('the metadata have no bulk data');
      const others = addresses.filter(({ url }) => !url.startsWith(`${base}/`));
      expectNone(others.map(({ path, url }) => `${path} leads to ${url}`).slice(0, 3));
      return `${addresses.length} addresses`;
    },
  },
  {
    id: 'DW-6',
    name: 'bulk-data',
    level: 'MUST',
    sentence: 'Bulk data that the metadata leave out can be had by the address that stands for them.',
    expected: '200 with content',
    async run(subject) {
      const url = await firstBulkData(subject);
      const answer = await subject.get(url, {
        accept: 'multipart/related; type="application/octet-stream", */*',
      });
      if (answer.status !== 200 || answer.body.length === 0)
        throw new Deviation(`${describe(answer)}, ${answer.body.length} bytes`);
      return `${answer.body.length} bytes`;
    },
  },
  {
    id: 'DW-6',
    name: 'entity-tag',
    level: 'SHOULD',
    sentence: 'Metadata have an entity tag, and are not sent again to a client that has them.',
    expected: 'ETag, and 304 for If-None-Match',
    async run(subject) {
      const { url } = await subject.study();
      const { headers } = await subject.get(`${url}/metadata`, { accept: DICOM_JSON });
      const tag = headers.get('etag');
      if (tag === null) throw new Deviation('no ETag');
      const again = await subject.get(`${url}/metadata`, {
        accept: DICOM_JSON,
        headers: { 'if-none-match': tag },
      });
      if (again.status !== 304) throw new Deviation(`${describe(again)} for If-None-Match`);
      return '304';
    },
  },
  {
    id: 'DW-10',
    name: 'range',
    level: 'SHOULD',
    sentence: 'A part of bulk data can be had with Range.',
    expected: '206 with 10 bytes and Content-Range',
    async run(subject) {
      const ask = { accept: 'application/octet-stream', headers: { range: 'bytes=0-9' } };
      const answer = await subject.get(await firstBulkData(subject), ask);
      const range = answer.headers.get('content-range');
      if (answer.status !== 206 || answer.body.length !== 10 || range === null)
        throw new Deviation(
          `${describe(answer)}, ${answer.body.length} bytes, Content-Range ${range ?? 'missing'}`,
        );
      return range;
    },
  },
];
