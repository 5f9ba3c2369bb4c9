import type { ImagingStudySeries, ImagingStudySeriesInstance } from 'fhir/r4.js';
import { keywordOf, tagOf } from '../../../schema/dicom/dictionary.ts';
import { Tag, type DicomJson } from '../../../schema/dicom/dicom.ts';
import { Fault } from '../../../schema/fault/fault.ts';
import { pure } from '../../../schema/graphql/pure.ts';
import { copyWith } from '../../../schema/process/copy-with.ts';
import { Derivation } from '../../../schema/process/derivation.ts';
import { string, uid, unsignedInt } from '../dicom/dicom-text.ts';
import type { FoundStudy } from '../fhir/find.ts';
import { andThen, type Awaitable } from '../../../schema/process/awaitable.ts';
import { instanceGroups, type InstanceGroups, type RequestLoaders } from './graphql-loaders.ts';
import { OfRows } from '../facts/of-rows.ts';
import { byNumber, imagingStudyInstance, isInstance } from '../study/document/study-document.ts';
import type { AuthorizedStudies } from '../study/authorized-studies.ts';

/** Attributes and URLs of series and instances, for apps that have not downloaded them yet (FG-8). */

/** Key of the origin of a series or an instance. No FHIR element carries it, and clients never see it. */
const ORIGIN = Symbol('origin');

interface Origin {
  found: FoundStudy;
  seriesUid: string;
  /** Row of the series, or of the instance. */
  row: DicomJson;
  instanceUid?: string;
  /** True when no archive has the series: only the clinical record names it, and it cannot be retrieved (IA-34). */
  isRecords?: boolean;
}

type WithOrigin<T> = T & { [ORIGIN]: Origin };
export type SeriesSource = WithOrigin<ImagingStudySeries>;
export type InstanceSource = WithOrigin<ImagingStudySeriesInstance>;

/** The data from which the fields of one request are resolved. */
export interface Facts {
  imaging: AuthorizedStudies;
  loaders: RequestLoaders;
  /** By UIDs of study and series; made once, for any field that needs all instances of a series. */
  series: Map<string, Promise<SeriesFacts>>;
  /** WADO-RS bases by study, each with its promise until it is there: every instance of a list needs one. */
  bases: Map<FoundStudy, string | Promise<string>>;
  /** Faults of sources that the answer already reports. */
  reported: Set<Fault>;
}

interface SeriesFacts {
  /** Sorted by number. */
  instances: readonly InstanceSource[];
  /** Row of the first image: the first instance with pixels, or the first instance if none has pixels. */
  firstImage: DicomJson;
  numberOfFrames?: number;
}

/** Copies an element of a document, and adds its origin. */
function withOrigin<T extends object>(element: T, origin: Origin): WithOrigin<T> {
  return Object.freeze(copyWith(element, { [ORIGIN]: origin }) as WithOrigin<T>);
}

const seriesSources = new Derivation<FoundStudy, readonly SeriesSource[] | undefined>();

/** Returns the series of a study, each with the row it was made from; the same for the same frozen study. */
export function seriesOf(found: FoundStudy): readonly SeriesSource[] | undefined {
  return seriesSources.of(found, [], () => {
    const rows = new Map(found.record?.series.map((row) => [uid(row, Tag.SeriesInstanceUID), row]));
    return found.study.series?.map((series) => {
      const row = rows.get(series.uid);
      return withOrigin(series, { found, seriesUid: series.uid, row: row ?? {}, isRecords: !row });
    });
  });
}

/** Returns the instances of a series, sorted by number; fetches them on first use, where the study has no rows of them. */
export function instancesOf(series: SeriesSource, facts: Facts): Awaitable<readonly InstanceSource[]> {
  return andThen(factsOfSeries(series, facts), ({ instances }) => instances);
}

function factsOfSeries(series: SeriesSource, { loaders, series: known }: Facts): Awaitable<SeriesFacts> {
  const { found, seriesUid } = series[ORIGIN];
  const rows = found.record?.instances;
  if (rows && Object.isFrozen(found)) return seriesFactsOf(series, instanceGroups(found, rows), loaders);
  const key = `${found.study.id}/${seriesUid}`;
  const facts = known.get(key) ?? readSeries(series, loaders);
  known.set(key, facts);
  return facts;
}

const factsOfShared = new OfRows<SeriesSource, SeriesFacts>();

async function readSeries(series: SeriesSource, loaders: RequestLoaders): Promise<SeriesFacts> {
  const { found, seriesUid, isRecords } = series[ORIGIN];
  if (isRecords) return seriesOfRecord(found, seriesUid);
  return seriesFactsOf(series, await loaders.instances.load(found), loaders);
}

/** Instances of a study up to which the facts of all series are worked out in one turn of the event loop. */
const MANY_INSTANCES = 1000;

function seriesFactsOf(
  series: SeriesSource,
  groups: InstanceGroups,
  loaders: RequestLoaders,
): Awaitable<SeriesFacts> {
  const { found, seriesUid, isRecords } = series[ORIGIN];
  if (isRecords) return seriesOfRecord(found, seriesUid);
  const rows = groups.get(seriesUid) ?? [];
  const make = () => factsOfRows(rows, { found, seriesUid });
  // The series of a study that is not frozen are of one request.
  const facts = () => (Object.isFrozen(found) ? factsOfShared.of(series, rows, make) : make());
  const isLong = (found.study.numberOfInstances ?? 0) > MANY_INSTANCES;
  return isLong && !factsOfShared.known(series, rows) ? loaders.nextTurn().then(facts) : facts();
}

function factsOfRows(rows: readonly DicomJson[], of: Pick<Origin, 'found' | 'seriesUid'>): SeriesFacts {
  const instances = Object.freeze(
    rows
      .filter(isInstance)
      .map((row) => {
        const instance = imagingStudyInstance(row);
        return withOrigin(instance, { row, instanceUid: instance.uid, ...of });
      })
      .sort(byNumber),
  );
  const inOrder = instances.map((instance) => instance[ORIGIN].row);
  return {
    instances,
    firstImage: inOrder.find((row) => unsignedInt(row, Tag.Rows) !== undefined) ?? inOrder[0] ?? {},
    numberOfFrames: inOrder.reduce((sum, row) => sum + (frames(row) ?? 0), 0),
  };
}

/** A series that only the clinical record has: its instances as the record has them, without DICOM attributes. */
function seriesOfRecord(found: FoundStudy, seriesUid: string): SeriesFacts {
  const series = found.study.series?.find(({ uid }) => uid === seriesUid);
  const instances = (series?.instance ?? []).map((instance) =>
    withOrigin(instance, { found, seriesUid, row: {}, instanceUid: instance.uid, isRecords: true }),
  );
  return { instances, firstImage: {} };
}

type Field<Source, Args = object> = (source: Source, args: Args, facts: Facts) => unknown;

interface Rendering {
  window?: string | null;
  viewport?: string | null;
}

/** Maximum characters of a rendering parameter, which is part of the URL of every series and instance. */
const MAX_PARAMETER = 128;
/** Maximum keywords of one field, which is resolved for every series and instance. */
const MAX_KEYWORDS = 256;

interface Keywords {
  keywords?: readonly string[] | null;
}

/**
 * The URLs of a series or an instance. They depend on nothing else: where each caller has a base of its own (IA-25), the
 * objects belong to one request.
 */
const urls = {
  wadoUrl: pure((source: SeriesSource | InstanceSource, _: object, facts: Facts) => wadoUrl(source, facts)),
  thumbnailUrl: pure((source: SeriesSource | InstanceSource, _: object, facts: Facts) =>
    below(wadoUrl(source, facts), '/thumbnail'),
  ),
  renderedUrl: pure(renderedUrl),
};

/**
 * Makes a resolver of what the instances of a series say. It is pure: where the study has their rows, these are all that the
 * value depends on; otherwise the value is promised, and nothing that is written of a promise is kept.
 */
const ofInstances = <T>(read: (facts: SeriesFacts) => T) =>
  pure((series: SeriesSource, _: object, facts: Facts) => andThen(factsOfSeries(series, facts), read));

/** Names of fields of a series that its instances are read for. */
export const FIELDS_OF_INSTANCES = ['instance', 'rows', 'columns', 'numberOfFrames', 'transferSyntax'];

/** Resolvers of `ImagingStudySeries`. */
export const seriesFacts = {
  rows: ofInstances(({ firstImage }) => unsignedInt(firstImage, Tag.Rows)),
  columns: ofInstances(({ firstImage }) => unsignedInt(firstImage, Tag.Columns)),
  numberOfFrames: ofInstances(({ numberOfFrames }) => numberOfFrames),
  transferSyntax: ofInstances(({ firstImage }) => transferSyntax(firstImage)),
  bodyPartExamined: pure((series: SeriesSource) => string(series[ORIGIN].row, Tag.BodyPartExamined)),
  ...urls,
  async metadata(series, { keywords }: Keywords, facts) {
    const { row } = series[ORIGIN];
    const tags = tagsOf(keywords);
    if (series[ORIGIN].isRecords) return undefined;
    if (!tags || tags.every((tag) => row[tag])) return byKeyword(row, tags);
    const [first] = await instancesOf(series, facts);
    return { ...(first && (await metadataOf(first, tags, facts))), ...byKeyword(row, tags) };
  },
} satisfies Record<string, Field<SeriesSource, never>>;

/** Resolvers of `ImagingStudySeriesInstance`. */
export const instanceFacts = {
  rows: pure((instance: InstanceSource) => unsignedInt(instance[ORIGIN].row, Tag.Rows)),
  columns: pure((instance: InstanceSource) => unsignedInt(instance[ORIGIN].row, Tag.Columns)),
  numberOfFrames: pure((instance: InstanceSource) => frames(instance[ORIGIN].row)),
  transferSyntax: pure((instance: InstanceSource) => transferSyntax(instance[ORIGIN].row)),
  bodyPartExamined: pure((instance: InstanceSource) => {
    const { found, seriesUid, row } = instance[ORIGIN];
    const series = found.record?.series.find((one) => uid(one, Tag.SeriesInstanceUID) === seriesUid);
    return string(row, Tag.BodyPartExamined) ?? string(series ?? {}, Tag.BodyPartExamined);
  }),
  ...urls,
  async metadata(instance, { keywords }: Keywords, facts) {
    const { row } = instance[ORIGIN];
    const tags = tagsOf(keywords);
    if (instance[ORIGIN].isRecords) return undefined;
    return tags?.every((tag) => row[tag]) ? byKeyword(row, tags) : metadataOf(instance, tags, facts);
  },
} satisfies Record<string, Field<InstanceSource, never>>;

/** Returns the number of frames: 1 for an image that states none, undefined for an object that is not an image. */
function frames(row: DicomJson): number | undefined {
  return unsignedInt(row, Tag.NumberOfFrames) ?? (unsignedInt(row, Tag.Rows) === undefined ? undefined : 1);
}

const TRANSFER_SYNTAX_UID = '00020010';

function transferSyntax(row: DicomJson): string | undefined {
  return uid(row, Tag.AvailableTransferSyntaxUID) ?? uid(row, TRANSFER_SYNTAX_UID);
}

type Url = string | undefined;

/** Returns the URL of a series or an instance; undefined for one that only the clinical record has. */
function wadoUrl(source: SeriesSource | InstanceSource, facts: Facts): Url | Promise<Url> {
  const { found, seriesUid, instanceUid, isRecords } = source[ORIGIN];
  if (isRecords) return undefined;
  const path = `/studies/${found.study.id}/series/${seriesUid}`;
  return below(baseOf(found, facts), instanceUid === undefined ? path : `${path}/instances/${instanceUid}`);
}

function baseOf(found: FoundStudy, { bases, loaders }: Facts): string | Promise<string> {
  const known = bases.get(found) ?? loaders.commonBase;
  if (known !== undefined) {
    bases.set(found, known);
    return known;
  }
  const asked = loaders.base.load(found).then((base) => {
    bases.set(found, base);
    return base;
  });
  bases.set(found, asked);
  return asked;
}

function renderedUrl(
  source: SeriesSource | InstanceSource,
  { window, viewport }: Rendering,
  facts: Facts,
): Url | Promise<Url> {
  if ([window, viewport].some((value) => (value?.length ?? 0) > MAX_PARAMETER))
    throw new Fault('invalid_request', `window and viewport have at most ${MAX_PARAMETER} characters.`);
  const query = Object.entries({ window, viewport })
    .filter(([, value]) => value)
    // PS3.18 §8.3.5 writes the commas as they are.
    .map(([name, value]) => `${name}=${encodeURIComponent(value!).replaceAll('%2C', ',')}`)
    .join('&');
  return below(wadoUrl(source, facts), `/rendered${query && `?${query}`}`);
}

function below(url: Url | Promise<Url>, path: string): Url | Promise<Url> {
  if (typeof url === 'object') return url.then((base) => below(base, path));
  return url && url + path;
}

async function metadataOf(
  instance: InstanceSource,
  tags: readonly string[] | undefined,
  { loaders }: Facts,
): Promise<Record<string, unknown>> {
  const { found, seriesUid } = instance[ORIGIN];
  const base = await loaders.base.load(found);
  return loaders.metadata.load({
    studyUid: found.study.id!,
    seriesUid,
    instanceUid: instance.uid,
    base,
    tags,
  });
}

/**
 * Converts keywords to tags. @throws Fault `invalid_request` for a keyword that PS3.6 does not have, and for too many
 */
function tagsOf(keywords: readonly string[] | null | undefined): string[] | undefined {
  if (keywords && keywords.length > MAX_KEYWORDS)
    throw new Fault(
      'invalid_request',
      `metadata takes at most ${MAX_KEYWORDS} keywords; without any it gives all.`,
    );
  return keywords?.map((keyword) => {
    const tag = tagOf(keyword);
    if (!tag) throw new Fault('invalid_request', 'metadata takes DICOM keywords, such as SliceThickness.');
    return tag;
  });
}

/** Returns DICOM JSON with keywords in place of tags; private attributes keep their tags. Always a new object. */
function byKeyword(dataset: DicomJson, tags: readonly string[] | undefined): Record<string, unknown> {
  const wanted = tags ?? Object.keys(dataset).filter((tag) => tag !== Tag.RetrieveURL);
  const entries = wanted.filter((tag) => dataset[tag]).map((tag) => [keywordOf(tag) ?? tag, dataset[tag]]);
  return structuredClone(Object.fromEntries(entries)) as Record<string, unknown>;
}
