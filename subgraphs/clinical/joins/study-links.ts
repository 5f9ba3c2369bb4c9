import type { Reference, Resource } from 'fhir/r4.js';
import { Fault } from '../../../schema/fault/fault.ts';
import { accessionOf, accessionsOf, accessionText } from '../../../schema/fhir/accession-types.ts';
import type { StudyLinks } from '../../../schema/fhir/study-links.ts';
import type { Clinical } from '../record/clinical.ts';
import { readIfAllowed } from '../record/read-if-allowed.ts';
import { IN_ENCOUNTER, LINKS, type Lead } from './link-table.ts';
import {
  containedIn,
  identifiersAt,
  referencesAt,
  selectionOf,
  uidsInReference,
  uidsOf,
} from './named-studies.ts';
import { studiesOfObjects } from './object-studies.ts';
import { ofEncounter, recordStudies } from './patient-resources.ts';

/** Resources that are followed from one resource; real ones lead to a few. */
const MAX_FOLLOWED = 200;

/** One walk from a resource to its studies. */
interface Walk {
  /** Whose resources are followed: those of others are not. */
  patientId: string;
  /** Names (`Media/1`) of the resources that the walk has come to: each is followed once, so circles end. */
  seen: Set<string>;
  studyUids: Set<string>;
  /** UIDs of series or instances, and those that do not say of what they are. */
  objectUids: Set<string>;
  accessions: Set<string>;
  /** The code of the one search parameter that is followed from the first resource; undefined: all of it counts. */
  only: string | undefined;
}

/** Links of the resources of a request, by the code that limits them. */
const known = new WeakMap<Clinical, Map<string, WeakMap<Resource, Promise<StudyLinks>>>>();

/**
 * Returns what a resource says of its studies (FG-9): its own identifiers and references, and those of resources of the
 * same patient to which they lead, as far as the caller may see them.
 * @param only code of a search parameter (`derived-from`): nothing else of the resource counts
 */
export function linksOf(clinical: Clinical, resource: Resource, only?: string): Promise<StudyLinks> {
  let ofRequest = known.get(clinical);
  if (!ofRequest) known.set(clinical, (ofRequest = new Map()));
  let ofCode = ofRequest.get(only ?? '');
  if (!ofCode) ofRequest.set(only ?? '', (ofCode = new WeakMap()));
  let links = ofCode.get(resource);
  if (!links) ofCode.set(resource, (links = walked(clinical, resource, only)));
  return links;
}

async function walked(clinical: Clinical, resource: Resource, only: string | undefined): Promise<StudyLinks> {
  const patientId = await patientIdOf(clinical, resource);
  if (patientId === undefined) return {};
  const walk: Walk = {
    ...{ patientId, seen: new Set([`${resource.resourceType}/${resource.id}`]), only },
    ...{ studyUids: new Set(), objectUids: new Set(), accessions: new Set() },
  };
  await collect(clinical, resource, walk, true);
  const ofObjects = await studiesOfObjects(clinical, { patientId, uids: [...walk.objectUids] });
  return {
    _patientId: patientId,
    _studyUids: [...new Set([...walk.studyUids, ...ofObjects])],
    _accessionNumbers: [...walk.accessions],
  };
}

/** Returns the logical id of the subject, when it is a patient of this record. */
export async function patientIdOf(clinical: Clinical, resource: Resource): Promise<string | undefined> {
  const [subject] = referencesAt(resource, 'subject');
  const target = await clinical.target(subject?.reference);
  return target?.type === 'Patient' ? target.id : undefined;
}

/** Adds what a resource says. @param own it is the first resource of the walk */
async function collect(clinical: Clinical, resource: Resource, walk: Walk, own: boolean): Promise<void> {
  const row = LINKS[resource.resourceType];
  if (!row) return;
  const { id, resourceType } = resource;
  const only = own ? walk.only : undefined;
  if (only === undefined) {
    addIdentifiers(clinical, resource, walk);
    if (row.namedBy && id !== undefined) await addNaming(clinical, resource, row.namedBy, walk);
    if (resourceType === 'Encounter' && own) await addMembers(clinical, resource, walk);
  }
  const leads = row.leads.filter(({ code, ownOnly }) => (own || !ownOnly) && (only ?? code) === code);
  await Promise.all(
    leads.flatMap((lead) =>
      referencesAt(resource, lead.path).map((reference) =>
        follow(clinical, { reference, lead, container: resource }, walk),
      ),
    ),
  );
}

function addIdentifiers({ joins }: Clinical, resource: Resource, walk: Walk): void {
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

/** Adds the studies of the record that refer to a resource by an element. */
async function addNaming(clinical: Clinical, resource: Resource, element: string, walk: Walk): Promise<void> {
  const { resourceType, id } = resource;
  for (const study of await recordStudies(clinical, walk.patientId)) {
    const targets = await Promise.all(
      referencesAt(study, element).map(({ reference }) => clinical.target(reference)),
    );
    if (targets.some((target) => target?.type === resourceType && target.id === id)) {
      await enter(clinical, study, walk);
    }
  }
}

/** Adds the studies of the resources that name an encounter. */
async function addMembers(clinical: Clinical, { id }: Resource, walk: Walk): Promise<void> {
  if (id === undefined) return;
  const members = await Promise.all(
    Object.entries(IN_ENCOUNTER).map(([type, path]) => ofEncounter(clinical, { type, path, id })),
  );
  await Promise.all(members.flat().map((member) => enter(clinical, member, walk)));
}

/** Follows one reference of a resource. */
async function follow(
  clinical: Clinical,
  { reference: named, lead, container }: { reference: Reference; lead: Lead; container: Resource },
  walk: Walk,
): Promise<void> {
  const { reference, identifier } = named;
  const isStudy = lead.to.every((type) => type === 'ImagingStudy');
  addUids(uidsInReference(named, isStudy), walk);
  for (const number of accessionsOf([identifier], clinical.joins.accessionTypes)) {
    walk.accessions.add(accessionText(number));
  }
  if (reference === undefined) return;
  if (reference.startsWith('#')) return followContained(clinical, { reference, lead, container }, walk);
  const target = await clinical.target(reference);
  if (!target || !lead.to.includes(target.type)) return;
  const name = `${target.type}/${target.id}`;
  if (walk.seen.has(name)) return;
  const resource = await readIfAllowed(clinical.read(target.type, target.id));
  if (resource) await enter(clinical, resource, walk);
}

async function followContained(
  clinical: Clinical,
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
      await follow(clinical, { reference: derivedFrom, lead, container }, walk);
    }
  } else if (lead.to.includes(contained.resourceType)) {
    addIdentifiers(clinical, contained, walk);
  }
}

/** Continues the walk at another resource, if that is the patient's and new. */
async function enter(clinical: Clinical, resource: Resource, walk: Walk): Promise<void> {
  if ((await patientIdOf(clinical, resource)) !== walk.patientId) return;
  const name = `${resource.resourceType}/${resource.id}`;
  if (walk.seen.has(name)) return;
  walk.seen.add(name);
  if (walk.seen.size > MAX_FOLLOWED && !name.startsWith('Encounter')) {
    throw new Fault(
      'too_large',
      `A resource leads to more than ${MAX_FOLLOWED} others on the way to its studies.`,
    );
  }
  await collect(clinical, resource, walk, false);
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
