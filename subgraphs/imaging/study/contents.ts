import { Tag, text, type DicomJson } from '../../../schema/dicom/dicom.ts';
import { uid } from '../dicom/dicom-text.ts';
import { grouped } from '../facts/study-rows.ts';
import type { Target } from '../sources/source.ts';

/** Instances of one study in several archives: the study is their union, each instance from one archive (DW-18). */

/** Row attributes that are equal for equal objects, as far as an archive gives them. */
const COMPARED = [Tag.SOPClassUID, Tag.Rows, Tag.Columns, Tag.NumberOfFrames] as const;

/** An instance, as a row states it. */
export interface InstanceFacts {
  seriesUid: string;
  /** Values of `COMPARED`. */
  compared: readonly (string | undefined)[];
}

/** The instances of a study that one archive has, by SOP Instance UID. */
export type Contents = ReadonlyMap<string, InstanceFacts>;

/** The contents of one archive. */
export interface Holding<S> {
  source: S;
  contents: Contents;
}

/** Instances of a target that one archive gives. */
export interface Part<S> {
  /** Contains all of them. */
  target: Target;
  instances: ReadonlySet<string>;
  /** Archives that have all of them: the first gives them, each other one replaces it if it fails (DW-27). */
  sources: readonly [S, ...S[]];
}

/** Numbers of instances of a study: of all, and of each series. */
export interface Counts {
  instances: number;
  series: ReadonlyMap<string, number>;
}

/** Reads the contents of a study from its instance rows. */
export function contentsOf(rows: readonly DicomJson[]): Contents {
  const contents = new Map<string, InstanceFacts>();
  for (const row of rows) {
    const sopInstanceUid = uid(row, Tag.SOPInstanceUID);
    const seriesUid = uid(row, Tag.SeriesInstanceUID);
    if (sopInstanceUid && seriesUid)
      contents.set(sopInstanceUid, { seriesUid, compared: COMPARED.map((tag) => text(row, tag)) });
  }
  return contents;
}

/** Merges contents; of an instance that several archives have, the facts are those of the first. */
export function unionOf(all: readonly Contents[]): Contents {
  const [first = new Map<string, InstanceFacts>(), ...others] = all;
  if (others.every((other) => isWithin(other, first))) return first;
  const union = new Map(first);
  for (const other of others) for (const [uid, facts] of other) if (!union.has(uid)) union.set(uid, facts);
  return union;
}

/** Tells whether an archive has nothing of a study that is not in `whole`. */
export function isWithin(contents: Contents, whole: Contents): boolean {
  if (contents.size > whole.size) return false;
  for (const uid of contents.keys()) if (!whole.has(uid)) return false;
  return true;
}

/** Counts the instances of a study. */
export function countsOf(contents: Contents): Counts {
  const series = new Map<string, number>();
  for (const { seriesUid } of contents.values()) series.set(seriesUid, (series.get(seriesUid) ?? 0) + 1);
  return { instances: contents.size, series };
}

/**
 * Divides a study, series or instance among the archives: each instance comes from the first archive that has it.
 * @param holdings in the order of the tenant
 * @returns no part if no archive has an instance of the target
 */
export function partsOf<S>(target: Target, holdings: readonly Holding<S>[]): Part<S>[] {
  const given = new Set<string>();
  return holdings.flatMap((holding) => {
    const own = instancesOf(target, holding.contents);
    const wanted = own.filter(([uid]) => !given.has(uid));
    for (const [uid] of wanted) given.add(uid);
    if (wanted.length === 0) return [];
    const part = (one: Target, some: Instances): Part<S> => {
      const copies = holdings.filter(
        ({ source, contents }) => source !== holding.source && some.every(([uid]) => contents.has(uid)),
      );
      const instances = new Set(some.map(([uid]) => uid));
      return { target: one, instances, sources: [holding.source, ...copies.map(({ source }) => source)] };
    };
    if (wanted.length === own.length) return [part(target, wanted)];
    const series = grouped(wanted, ([, { seriesUid }]) => seriesUid);
    return [...series].map(([seriesUid, some]) => part({ studyUid: target.studyUid, seriesUid }, some));
  });
}

type Instances = readonly (readonly [uid: string, facts: InstanceFacts])[];

/** Returns those of the instances that belong to a target. */
export function instancesOf({ seriesUid, instanceUid }: Target, contents: Contents): Instances {
  if (instanceUid === undefined)
    return [...contents].filter(([, one]) => seriesUid === undefined || one.seriesUid === seriesUid);
  const facts = contents.get(instanceUid);
  return facts?.seriesUid === seriesUid ? [[instanceUid, facts!]] : [];
}

/** Returns the UIDs of instances whose rows differ between archives: their objects cannot be equal. */
export function differing(holdings: readonly Holding<unknown>[]): string[] {
  const [first, ...others] = holdings.map(({ contents }) => contents);
  if (!first) return [];
  return [...first].flatMap(([uid, { compared }]) => {
    const differs = others.some((other) =>
      other.get(uid)?.compared.some((value, at) => {
        const own = compared[at];
        return value !== undefined && own !== undefined && value !== own;
      }),
    );
    return differs ? [uid] : [];
  });
}
