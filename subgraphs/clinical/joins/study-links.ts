import DataLoader from 'dataloader';
import type { Reference, Resource } from 'fhir/r4.js';
import { isDottedUid } from '../../../schema/dicom/dicom.ts';
import { Fault } from '../../../schema/fault/fault.ts';
import { accessionOf, accessionsOf, accessionText } from '../../../schema/fhir/accession-types.ts';
import type { StudyLinks } from '../../../schema/fhir/study-match.ts';
import { RequestValues } from '../../../schema/process/request-values.ts';
import type { Clinical, StudiesOfObjects } from '../record/clinical.ts';
import { readIfAllowed } from '../record/read-if-allowed.ts';
import { membersOf } from './encounter-members.ts';
import { LINKS, type Lead } from './link-table.ts';
import {
  containedIn,
  identifiersAt,
  referencesAt,
  selectionOf,
  uidsInReference,
  uidsOf,
} from './named-studies.ts';
import { recordStudiesOf } from './patient-resources.ts';

/** References that are followed from one resource, members of an encounter included; most resources have a few. */
const MAX_FOLLOWED = 2_000;

/** One walk from a resource to its studies. */
interface Walk {
  clinical: Clinical;
  /** Only resources of this patient are followed. */
  patientId: string;
  /** Names (`Media/1`) of the resources that the walk has come to: each is followed once, so circles end. */
  seen: Set<string>;
  /** References that were followed. */
  followed: number;
  studyUids: Set<string>;
  /** UIDs of series or instances, and those that do not say of what they are. */
  objectUids: Set<string>;
  accessions: Set<string>;
  /** The code of the one search parameter that is followed from the first resource; undefined: all of it counts. */
  only: string | undefined;
}

/** A reference of a resource. */
interface Followed {
  reference: Reference;
  lead: Lead;
  container: Resource;
}

/** Links of the resources of a request, by the code that limits them. */
const known = new RequestValues<Clinical, Map<string, Map<Resource, Promise<StudyLinks>>>>();

/**
 * Returns what a resource says of its studies (FG-9): its own identifiers and references, and those of resources of the
 * same patient to which they lead, as far as the caller may see them.
 * @param only code of a search parameter (`derived-from`): nothing else of the resource counts
 */
export function linksOf(clinical: Clinical, resource: Resource, only?: string): Promise<StudyLinks> {
  let ofRequest = known.get(clinical);
  if (!ofRequest) known.set(clinical, (ofRequest = new Map()));
  let ofCode = ofRequest.get(only ?? '');
  if (!ofCode) ofRequest.set(only ?? '', (ofCode = new Map()));
  let links = ofCode.get(resource);
  if (!links) ofCode.set(resource, (links = walked(clinical, resource, only)));
  return links;
}

async function walked(clinical: Clinical, resource: Resource, only: string | undefined): Promise<StudyLinks> {
  const patientId = await patientIdOf(clinical, resource);
  if (patientId === undefined) return {};
  const walk: Walk = {
    clinical,
    patientId,
    seen: new Set([`${resource.resourceType}/${resource.id}`]),
    followed: 0,
    studyUids: new Set(),
    objectUids: new Set(),
    accessions: new Set(),
    only,
  };
  await collect(resource, walk, true);
  const { studyUids, objectUids, accessions } = walk;
  const uids = [...objectUids];
  const ofObjects = uids.length > 0 ? await studiesOfObjects(clinical, { patientId, uids }) : [];
  return {
    _patientId: patientId,
    _studyUids: [...new Set([...studyUids, ...ofObjects])],
    _accessionNumbers: [...accessions],
  };
}

/** Returns the logical id of the subject, when it is a patient of this record. */
async function patientIdOf(clinical: Clinical, resource: Resource): Promise<string | undefined> {
  const [subject] = referencesAt(resource, 'subject');
  const target = await clinical.target(subject?.reference);
  return target?.type === 'Patient' ? target.id : undefined;
}

/** Adds what a resource says. @param own it is the first resource of the walk */
async function collect(resource: Resource, walk: Walk, own: boolean): Promise<void> {
  const row = LINKS[resource.resourceType];
  if (!row) return;
  const only = own ? walk.only : undefined;
  if (only === undefined) addIdentifiers(resource, walk);
  const leads = row.leads.filter(({ code, ownOnly }) => (own || !ownOnly) && (only ?? code) === code);
  const references = leads.flatMap((lead) =>
    referencesAt(resource, lead.path).map((reference) => ({ reference, lead, container: resource })),
  );
  // Most resources lead nowhere, and a walk is made for each of a list: no promise without need.
  const others = only === undefined && row.namedBy ? await referringTo(resource, walk, own) : [];
  if (others.length > 0) await Promise.all(others.map((other) => enter(other, walk)));
  if (references.length > 0) await Promise.all(references.map((one) => follow(one, walk)));
}

/** Returns the resources that refer to one: studies of the record, and what names an encounter. */
async function referringTo(
  resource: Resource,
  { clinical, patientId }: Walk,
  own: boolean,
): Promise<readonly Resource[]> {
  const { id, resourceType } = resource;
  const element = LINKS[resourceType]?.namedBy;
  if (id === undefined || element === undefined) return [];
  const studies = recordStudiesOf(clinical, patientId, { resource, element });
  if (resourceType !== 'Encounter' || !own) return studies;
  return (await Promise.all([studies, membersOf(clinical, { id, patientId })])).flat();
}

function addIdentifiers(resource: Resource, walk: Walk): void {
  const { joins } = walk.clinical;
  const { identifiers: paths, ofObjects } = LINKS[resource.resourceType]!;
  for (const path of paths) {
    const identifiers = identifiersAt(resource, path);
    const uids = ofObjects ? walk.objectUids : walk.studyUids;
    for (const uid of uidsOf(identifiers)) uids.add(uid);
    const isAlways = path === 'requisition' && joins.requisition;
    const numbers = isAlways
      ? identifiers.flatMap(accessionOf)
      : accessionsOf(identifiers, joins.accessionTypes);
    for (const number of numbers) walk.accessions.add(accessionText(number));
  }
  // A study of the record without a UID is known by its id.
  if (
    resource.resourceType === 'ImagingStudy' &&
    uidsOf(identifiersAt(resource, 'identifier')).length === 0 &&
    resource.id
  )
    walk.studyUids.add(resource.id);
}

/** Follows one reference of a resource. */
async function follow({ reference: named, lead, container }: Followed, walk: Walk): Promise<void> {
  const { reference, identifier } = named;
  const isStudy = lead.to.every((type) => type === 'ImagingStudy');
  addUids(uidsInReference(named, isStudy), walk);
  for (const number of accessionsOf([identifier], walk.clinical.joins.accessionTypes)) {
    walk.accessions.add(accessionText(number));
  }
  if (reference?.startsWith('#')) return followContained({ reference, lead, container }, walk);
  const target = await walk.clinical.target(reference);
  if (!target || !lead.to.includes(target.type)) return;
  // Its id is the UID of the study, and says all.
  if (target.type === 'ImagingStudy' && isDottedUid(target.id)) return;
  await read(target, walk);
}

/** Continues the walk at a resource that a reference names, if it was not there yet. */
async function read({ type, id }: { type: string; id: string }, walk: Walk): Promise<void> {
  if (walk.seen.has(`${type}/${id}`)) return;
  if (++walk.followed > MAX_FOLLOWED) {
    throw new Fault('too_large', `A resource leads to its studies by more than ${MAX_FOLLOWED} references.`);
  }
  const resource = await readIfAllowed(walk.clinical.read(type, id));
  if (resource) await enter(resource, walk);
}

async function followContained(
  { reference, lead, container }: { reference: string; lead: Lead; container: Resource },
  walk: Walk,
): Promise<void> {
  const contained = containedIn(container, reference);
  if (!contained) return;
  const selection = selectionOf(contained);
  if (selection) {
    addUids(selection, walk);
    for (const derivedFrom of selection.derivedFrom) {
      // Never a local reference again: contained resources could lead in a circle.
      if (derivedFrom.reference?.startsWith('#')) continue;
      await follow({ reference: derivedFrom, lead, container }, walk);
    }
  } else if (lead.to.includes(contained.resourceType)) {
    addIdentifiers(contained, walk);
  }
}

/** Continues the walk at another resource, if that is the patient's and new. */
async function enter(resource: Resource, walk: Walk): Promise<void> {
  const patientId = await patientIdOf(walk.clinical, resource);
  const name = `${resource.resourceType}/${resource.id}`;
  if (patientId !== walk.patientId || walk.seen.has(name)) return;
  walk.seen.add(name);
  await collect(resource, walk, false);
}

function addUids(
  { studies, objects }: { studies: readonly string[]; objects: readonly string[] },
  walk: Walk,
): void {
  for (const uid of studies) walk.studyUids.add(uid);
  for (const uid of objects) walk.objectUids.add(uid);
}

/** Returns the Study Instance UID of a reference to an ImagingStudy: its own, or that of a study of the record (IA-15). */
export async function studyUidOfReference(
  clinical: Clinical,
  reference: Reference,
): Promise<string | undefined> {
  const [uid] = uidsInReference(reference, true).studies;
  if (uid !== undefined) return uid;
  const target = await clinical.target(reference.reference);
  if (target?.type !== 'ImagingStudy') return undefined;
  const study = await readIfAllowed(clinical.read('ImagingStudy', target.id));
  return study && uidsOf(identifiersAt(study, 'identifier'))[0];
}

/** Faults of images that the caller may not search: then a UID of an image leads to no study. */
const NOT_SHOWN: readonly string[] = ['insufficient_scope', 'forbidden', 'not_found'];

interface Asked {
  patientId: string;
  uids: readonly string[];
}

const loaders = new RequestValues<Clinical, DataLoader<Asked, readonly string[]>>();

/**
 * Returns the Study Instance UIDs of the patient's studies that have one of these UIDs: their own, of a series or of an
 * instance. Questions about all resources of a request become one (FG-6).
 */
async function studiesOfObjects(clinical: Clinical, asked: Asked): Promise<readonly string[]> {
  if (asked.uids.length === 0) return [];
  let loader = loaders.get(clinical);
  if (!loader) {
    loader = new DataLoader((all) => answers(clinical.studiesOfObjects, all), { cache: false });
    loaders.set(clinical, loader);
  }
  return loader.load(asked);
}

async function answers(
  ask: StudiesOfObjects | undefined,
  all: readonly Asked[],
): Promise<readonly (readonly string[])[]> {
  // Without images to ask, a UID can only be that of a study.
  if (!ask) return all.map(({ uids }) => uids);
  const wanted = new Map<string, Set<string>>();
  for (const { patientId, uids } of all) {
    wanted.set(patientId, new Set([...(wanted.get(patientId) ?? []), ...uids]));
  }
  const found = await ask(wanted).catch((error: unknown) => {
    if (error instanceof Fault && NOT_SHOWN.includes(error.code)) return new Map<string, never>();
    throw error;
  });
  return all.map(({ patientId, uids }) => {
    const studies: ReadonlyMap<string, string> | undefined = found.get(patientId);
    return [...new Set(uids.flatMap((uid) => studies?.get(uid) ?? []))];
  });
}
