import type {
  Coding,
  Identifier,
  ImagingStudy,
  Meta,
  Reference,
  Resource,
  ImagingStudySeries,
} from 'fhir/r4.js';
import { isSameNumber } from '../../../schema/fhir/accession-types.ts';
import { bindContained } from '../../../schema/fhir/contained.ts';
import { DICOM_UID_SYSTEM, uidFromToken } from '../../../schema/fhir/fhir.ts';
import type { FirstSeenEntry } from '../cache/first-seen.ts';
import { Derivation } from '../../../schema/process/derivation.ts';
import { deepFreeze } from '../../../schema/process/deep-freeze.ts';
import { omitEmpty } from '../dicom/omit-empty.ts';
import { uidIn, type RecordStudy } from '../study/record/record-study.ts';
import type { Candidate } from './criterion.ts';
import { byNumber } from '../study/document/study-document.ts';

/** One resource of the two halves of a study: what an archive has, and what the clinical record says (IA-34). */

/**
 * Adds to the archive's study what the record says of it; docs/joins.md has the table. The resource of the archive's half
 * is shared with other requests, and is not changed.
 */
export function withRecord<Found extends Candidate>(
  found: Found,
  own: RecordStudy,
): Found & { own: RecordStudy } {
  return joined.of(found, factsOf(own), () => {
    const memory = laterOf(found.memory, own);
    const study = joinedResource(found.study, own, memory?.lastUpdated);
    const whole = { ...found, own, recordId: own.recordId, ...(memory && { memory }), study };
    // A study that is not frozen gets the caller's Endpoint later.
    if (!Object.isFrozen(found.study)) return whole;
    deepFreeze(study);
    return Object.freeze(whole);
  }) as Found & { own: RecordStudy };
}

const joined = new Derivation<Candidate, Candidate & { own: RecordStudy }>();

/** Everything that a half of a study is made from; the resource is the same object while a source keeps it. */
export const factsOf = ({ resource, id, uid, patientId }: RecordStudy): readonly unknown[] => [
  resource,
  id,
  uid,
  patientId,
];

/** Makes a study of what only the record has: with its own status, and without endpoint, because nothing can be retrieved. */
export function aloneStudy(own: RecordStudy): Candidate & { own: RecordStudy } {
  return alone.of(own.resource, factsOf(own), () => Object.freeze(onlyOfRecord(own)));
}

const alone = new Derivation<ImagingStudy, Candidate & { own: RecordStudy }>();

function onlyOfRecord(own: RecordStudy): Candidate & { own: RecordStudy } {
  const { resource } = own;
  const memory = laterOf(undefined, own);
  const { meta, identifier: _, ...rest } = withoutEndpoints(resource);
  const study = omitEmpty<ImagingStudy>({
    ...rest,
    id: own.id,
    meta: recordMeta(own, meta?.lastUpdated),
    identifier: identifiers(own.uid, [], resource),
    subject: { ...resource.subject, reference: `Patient/${own.patientId}` },
    modality: resource.modality ?? modalitiesOf(resource),
  });
  return { own, recordId: own.recordId, ...(memory && { memory }), study: deepFreeze(bindContained(study)) };
}

function joinedResource(
  archive: ImagingStudy,
  own: RecordStudy,
  lastUpdated: string | undefined,
): ImagingStudy {
  const { id: _id, meta: _meta, text: _text, ...record } = withoutEndpoints(own.resource);
  const { contained = [], ...half } = withFreeId(archive, record.contained);
  const basedOn = [
    ...(record.basedOn ?? []),
    ...(archive.basedOn ?? []).filter((one) => !isNamed(one, record)),
  ];
  return bindContained(
    omitEmpty<ImagingStudy>({
      ...record,
      ...half,
      meta: recordMeta(own, lastUpdated),
      contained: [...contained, ...(record.contained ?? [])],
      identifier: identifiers(archive.id, archive.identifier ?? [], own.resource),
      status: statusOf(own.resource),
      modality: union(archive.modality ?? [], record.modality ?? []),
      // Only what can be retrieved is counted, not what the record names besides.
      numberOfSeries: archive.numberOfSeries,
      numberOfInstances: archive.numberOfInstances,
      series: joinedSeries(half.series ?? [], record.series ?? []),
      basedOn,
      referrer: record.referrer ? { ...archive.referrer, ...record.referrer } : archive.referrer,
    }),
  );
}

/**
 * Returns the status of a study that an archive has. What the record says of its validity counts; that it waits for images
 * does not, because they are there.
 */
function statusOf({ status }: ImagingStudy): ImagingStudy['status'] {
  return status === 'cancelled' || status === 'entered-in-error' ? status : 'available';
}

/** Returns what the record says of its resource. Its version is not that of the joined one. */
function recordMeta({ recordId, resource: { meta } }: RecordStudy, lastUpdated: string | undefined): Meta {
  const { versionId: _, ...own } = meta ?? {};
  // Where the record does not name its source, the reference to its half does.
  return { ...own, ...(lastUpdated && { lastUpdated }), source: own.source ?? `ImagingStudy/${recordId}` };
}

/** Returns the identifiers of both halves, the UID first, each once. */
function identifiers(
  uid: string | undefined,
  archive: readonly Identifier[],
  own: ImagingStudy,
): Identifier[] {
  const first = uid === undefined ? [] : [{ system: DICOM_UID_SYSTEM, value: `urn:oid:${uid}` }];
  const all = [...first, ...archive.slice(first.length), ...(own.identifier ?? [])];
  const isSame = (one: Identifier, other: Identifier) => {
    const [a, b] = [uidIn(one), uidIn(other)];
    return a !== undefined || b !== undefined ? a === b : isSameNumber(one, other);
  };
  return all.filter((one, index) => !all.slice(0, index).some((earlier) => isSame(earlier, one)));
}

/**
 * Copies a resource of the record without its endpoints: they lead to other servers, to which a token for this one must not
 * be sent, or to images that are not there.
 */
function withoutEndpoints(resource: ImagingStudy): ImagingStudy {
  const { endpoint: _, contained, series, ...study } = structuredClone(resource);
  return omitEmpty<ImagingStudy>({
    ...study,
    contained: contained?.filter(({ resourceType }) => resourceType !== 'Endpoint'),
    series: series?.map(({ endpoint: _, ...one }) => one),
  });
}

/** Gives the contained Endpoint of the archive's half an id that no contained resource of the record has. */
function withFreeId(archive: ImagingStudy, taken: readonly Resource[] = []): ImagingStudy {
  const [endpoint] = archive.contained ?? [];
  if (!endpoint) return archive;
  const ids = new Set(taken.map(({ id }) => id));
  let { id } = endpoint;
  while (ids.has(id)) id = `${id}-`;
  const moved = ({ reference, ...rest }: Reference): Reference => ({
    ...rest,
    reference: reference === `#${endpoint.id}` ? `#${id}` : reference!,
  });
  return omitEmpty<ImagingStudy>({
    ...archive,
    contained: [{ ...endpoint, id }],
    endpoint: archive.endpoint?.map(moved),
    series: archive.series?.map((one) =>
      one.endpoint ? { ...one, endpoint: one.endpoint.map(moved) } : one,
    ),
  });
}

/** Tells whether the record names the order that the archive knows by its accession number. */
function isNamed({ identifier }: Reference, { basedOn = [] }: ImagingStudy): boolean {
  return basedOn.some((one) => one.identifier && identifier && isSameNumber(one.identifier, identifier));
}

function modalitiesOf({ series = [] }: ImagingStudy): Coding[] {
  return union(
    [],
    series.flatMap(({ modality }) => modality ?? []),
  );
}

function union(one: readonly Coding[], other: readonly Coding[]): Coding[] {
  return [...new Map([...other, ...one].map((coding) => [coding.code, coding])).values()];
}

/** Returns the memory of the half that changed last, as a UTC instant. */
function laterOf(
  memory: FirstSeenEntry | undefined,
  { resource: { meta } }: RecordStudy,
): FirstSeenEntry | undefined {
  const time = Date.parse(meta?.lastUpdated ?? '');
  if (Number.isNaN(time) || (memory && Date.parse(memory.lastUpdated) >= time)) return memory;
  return { lastUpdated: new Date(time).toISOString(), fresh: memory?.fresh ?? false };
}

/**
 * Returns the series of a joined study (IA-34): those of the archive, with what only the record says of them, and those
 * that only the record names. These have no endpoint: no archive has them.
 * @param record without endpoints
 */
function joinedSeries(
  archive: readonly ImagingStudySeries[],
  record: readonly ImagingStudySeries[],
): ImagingStudySeries[] {
  const named = record.filter(({ uid }) => typeof uid === 'string');
  const own = new Map(named.toReversed().map((one) => [uidFromToken(one.uid), one]));
  const both = archive.map((series) => withRecords(series, own.get(series.uid)));
  const known = new Set(archive.map(({ uid }) => uid));
  const alone = [...own].flatMap(([uid, series]) => (known.has(uid) ? [] : [{ ...series, uid }]));
  return [...both, ...alone].sort(byNumber);
}

/** Instances and their number are those that can be retrieved. */
function withRecords(archive: ImagingStudySeries, own: ImagingStudySeries | undefined): ImagingStudySeries {
  if (!own) return archive;
  const { instance: _instance, numberOfInstances: _count, ...said } = own;
  return { ...said, ...archive };
}
