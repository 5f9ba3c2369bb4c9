import type { Coding, Extension, Identifier, Reference, Resource } from 'fhir/r4.js';
import { isDottedUid } from '../../../schema/dicom/dicom.ts';
import { DICOM_UID_SYSTEM, parseReference, uidFromToken } from '../../../schema/fhir/fhir.ts';

/** UIDs that an element names. */
export interface NamedUids {
  /** Study Instance UIDs. */
  studies: readonly string[];
  /** UIDs of series or instances, or of what is not said. */
  objects: readonly string[];
}

const NONE: NamedUids = { studies: [], objects: [] };

/** Returns the UIDs among identifiers. */
export function uidsOf(identifiers: readonly (Identifier | undefined)[]): string[] {
  return identifiers.flatMap((one) =>
    one?.system === DICOM_UID_SYSTEM && one.value !== undefined ? [uidFromToken(one.value)] : [],
  );
}

/** Returns the items at a path of a resource (`context.related`), without those that are missing. */
function itemsAt<T>(resource: object, path: string): T[] {
  const dot = path.indexOf('.');
  const found = (resource as Record<string, unknown>)[dot < 0 ? path : path.slice(0, dot)] ?? [];
  const items = (Array.isArray(found) ? found : [found]).filter(
    (item) => typeof item === 'object' && item !== null,
  ) as object[];
  return (dot < 0 ? items : items.flatMap((item) => itemsAt(item, path.slice(dot + 1)))) as T[];
}

const textOf = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined);

/** Returns an identifier with the members that joins need, as far as they are what FHIR says: a source may send anything. */
function readIdentifier({ system, value, type, assigner }: Identifier): Identifier {
  const codings = (type as { coding?: unknown } | null | undefined)?.coding;
  const coding = Array.isArray(codings) ? (codings as unknown[]).filter((one) => one !== null) : [];
  const display = textOf((assigner as Reference | null | undefined)?.display);
  return {
    system: textOf(system),
    value: textOf(value),
    type: { coding: coding as Coding[] },
    assigner: display === undefined ? undefined : { display },
  };
}

/** Returns the identifiers at a path of a resource. */
export function identifiersAt(resource: object, path: string): Identifier[] {
  return itemsAt<Identifier>(resource, path).map(readIdentifier);
}

/** Returns the references at a path of a resource, with the members that joins need. */
export function referencesAt(resource: object, path: string): Reference[] {
  return itemsAt<Reference>(resource, path).map(({ reference, type, identifier }) => ({
    reference: textOf(reference),
    type: textOf(type),
    identifier: identifier && typeof identifier === 'object' ? readIdentifier(identifier) : undefined,
  }));
}

/**
 * Returns the UIDs that a reference itself names: by its identifier, by `urn:oid:`, by an id that is a Study Instance UID
 * (IA-15), also at another server, or by a DICOMweb URL (PS3.18 §10.1).
 * @param isStudy the element can only name studies
 */
export function uidsInReference({ reference, identifier, type }: Reference, isStudy: boolean): NamedUids {
  const bare = [
    ...uidsOf([identifier]),
    ...(reference?.startsWith('urn:oid:') ? [uidFromToken(reference)] : []),
  ];
  if (bare.length > 0) {
    return isStudy || type === 'ImagingStudy'
      ? { studies: bare, objects: [] }
      : { studies: [], objects: bare };
  }
  const target = parseReference(reference);
  if (target?.type === 'ImagingStudy' && isDottedUid(target.id)) return { studies: [target.id], objects: [] };
  const [, studyUid] = /\/studies\/([0-9.]{1,64})(?:$|[/?#])/.exec(reference ?? '') ?? [];
  return studyUid === undefined ? NONE : { studies: [studyUid], objects: [] };
}

/** Returns the contained resource that a local reference (`#x`) names. */
export function containedIn(container: Resource, reference: string): Resource | undefined {
  return itemsAt<Resource>(container, 'contained').find(({ id }) => `#${id}` === reference);
}

/**
 * Reads an ImagingSelection of R5 or R6 as it stands in an R4 resource: a Basic with that code and the cross-version
 * extensions, or the later resource itself.
 * @returns undefined for another resource
 */
export function selectionOf(resource: Resource): (NamedUids & { derivedFrom: Reference[] }) | undefined {
  const isLater = (resource.resourceType as string) === 'ImagingSelection';
  const codes = itemsAt<Coding>(resource, 'code.coding');
  if (
    !isLater &&
    !(resource.resourceType === 'Basic' && codes.some(({ code }) => code === 'ImagingSelection'))
  )
    return undefined;
  const found = isLater ? ownMembers(resource) : inExtensions(itemsAt<Extension>(resource, 'extension'));
  const uids = ({ path }: { path: string }) =>
    found.flatMap((one) =>
      one.name === path && typeof one.value === 'string' ? [uidFromToken(one.value)] : [],
    );
  const [studies, series, instances] = ['studyUid', 'seriesUid', 'instance.uid'].map((path) =>
    uids({ path }),
  );
  return {
    studies: studies!,
    objects: series!.length > 0 ? series! : instances!,
    derivedFrom: found.flatMap((one) => (one.name === 'derivedFrom' ? referencesAt(one, 'value') : [])),
  };
}

interface Member {
  name: string;
  value: unknown;
}

function ownMembers(selection: object): Member[] {
  return ['studyUid', 'seriesUid', 'derivedFrom', 'instance'].flatMap((name): Member[] =>
    [(selection as Record<string, unknown>)[name]].flat().flatMap((value): Member[] => {
      if (value === undefined || value === null) return [];
      if (name === 'instance') return [{ name: 'instance.uid', value: (value as { uid?: unknown }).uid }];
      return [{ name, value }];
    }),
  );
}

/** Extensions by the last part of their URL: `…/extension-ImagingSelection.studyUid`, and `uid` inside `instance`. */
function inExtensions(extensions: readonly Extension[], within = ''): Member[] {
  return extensions.flatMap((extension): Member[] => {
    if (typeof extension.url !== 'string') return [];
    const name = within + extension.url.replace(/^.*ImagingSelection\./, '').replace(/^.*\//, '');
    const value = Object.entries(extension).find(([key]) => key.startsWith('value'))?.[1] as unknown;
    return [
      { name, value },
      ...(within ? [] : inExtensions(itemsAt<Extension>(extension, 'extension'), `${name}.`)),
    ];
  });
}
