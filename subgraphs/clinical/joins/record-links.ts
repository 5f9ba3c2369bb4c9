import type { Identifier, Reference, Resource } from 'fhir/r4.js';
import { isDottedUid } from '../../../schema/dicom/dicom.ts';
import {
  accessionOf,
  accessionsOf,
  accessionText,
  type JoinRule,
} from '../../../schema/fhir/accession-types.ts';
import { parseReference } from '../../../schema/fhir/fhir.ts';
import { studyTest, type StudyKeys } from '../../../schema/fhir/study-match.ts';
import { IN_ENCOUNTER, LINKS, type Lead } from './link-table.ts';
import {
  containedIn,
  identifiersAt,
  referencesAt,
  selectionOf,
  uidsInReference,
  uidsOf,
} from './named-studies.ts';

/**
 * The links of a whole record to its studies (FG-9): the same rule as `linksOf`, for all resources and every caller at once.
 * Which links count for a caller depends on the resources on the way, so the ways are given, one step after the other.
 */

/** A step from one resource to the next. */
export interface LinkStep {
  type: string;
  id: string;
  to_type: string;
  to_id: string;
  /** True when it is gone only from the resource where the way begins. */
  own: boolean;
  /** True when the next resource is read, because a reference names it; false when a search finds it. */
  read: boolean;
}

/** A study that a resource names. */
export interface LinkEnd {
  type: string;
  id: string;
  patient_id: string;
  study_id: string;
  rule: 'uid' | 'accession';
  /** As that of a step. */
  own: boolean;
}

/** The studies that a resource names. */
class Named {
  readonly studyUids = new Set<string>();
  readonly objectUids = new Set<string>();
  readonly accessions = new Set<string>();

  get isEmpty(): boolean {
    return this.studyUids.size + this.objectUids.size + this.accessions.size === 0;
  }

  addUids({ studies, objects }: { studies: readonly string[]; objects: readonly string[] }): void {
    for (const uid of studies) this.studyUids.add(uid);
    for (const uid of objects) this.objectUids.add(uid);
  }
}

interface Step extends Pick<LinkStep, 'own' | 'read'> {
  to: string;
}

/** A resource on a way. */
interface Node {
  patientId: string;
  /** The studies that count always, and those that count only where the way begins; undefined: none. */
  named: Named | undefined;
  ownNamed: Named | undefined;
  steps: Step[];
}

/** Elements by which the record's ImagingStudy names other resources, and the types of these. */
const NAMED_BY = Object.entries(LINKS).flatMap(([of, { namedBy }]) =>
  namedBy ? [{ of, element: namedBy }] : [],
);

/** Texts of which a resource of a type has one if it may be on a way. */
const MARKS: ReadonlyMap<string, readonly string[]> = new Map(
  Object.entries(LINKS).map(([type, { identifiers, leads }]) => {
    const paths = [...identifiers, ...leads.map(({ path }) => path)];
    return [
      type,
      type === 'ImagingStudy' ? [] : [...new Set(paths.map((path) => `"${path.split('.')[0]}"`))],
    ];
  }),
);

/** Types of the record that are on ways to studies. */
export const LINKED_TYPES: readonly string[] = Object.keys(LINKS);

/** Finds the links of a record. It is given each resource of `LINKED_TYPES` once, in any order. */
export class RecordLinks {
  readonly #joins: JoinRule;
  readonly #nodes = new Map<string, Node>();
  /** Steps from resources that do not state them: they are named by what a step leads to. */
  readonly #later: (Step & { from: string })[] = [];

  constructor(joins: JoinRule) {
    this.#joins = joins;
  }

  /** Notes a resource. @param json FHIR JSON; few are parsed */
  add(type: string, json: string): void {
    const marks = MARKS.get(type);
    if (!marks || (marks.length > 0 && !marks.some((mark) => json.includes(mark)))) return;
    this.#note(JSON.parse(json) as Resource);
  }

  /**
   * Notes the resources that only others name, as steps begin at them.
   * @param textOf returns a resource of the record as FHIR JSON
   */
  complete(textOf: (type: string, id: string) => string | undefined): void {
    const asked = new Set<string>();
    // A resource that is noted may be named in another one, which is looked for too.
    for (const { from } of this.#later) {
      if (this.#nodes.has(from) || asked.has(from)) continue;
      asked.add(from);
      const { type, id } = nameOf(from);
      const json = textOf(type, id);
      if (json !== undefined) this.#note(JSON.parse(json) as Resource);
    }
  }

  #note(resource: Resource): void {
    const { resourceType: type } = resource;
    const [subject] = referencesAt(resource, 'subject');
    const patient = subject && targetOf(subject);
    if (patient?.type !== 'Patient' || resource.id === undefined) return;
    const node: Node = { patientId: patient.id, named: undefined, ownNamed: undefined, steps: [] };
    this.#read(resource, node);
    this.#nodes.set(`${type}/${resource.id}`, node);
  }

  /** Returns UIDs of which it is not known whether they are those of a study, a series or an instance. */
  objectUids(): Set<string> {
    const nodes = [...this.#nodes.values()];
    return new Set(
      nodes.flatMap(({ named, ownNamed }) => [...(named?.objectUids ?? []), ...(ownNamed?.objectUids ?? [])]),
    );
  }

  /**
   * Returns the steps and ends of all ways that lead to a study.
   * @param studiesOf studies by the logical ids of their patients
   * @param studiesOfObject ids of the studies that have one of `objectUids`
   */
  ways(
    studiesOf: (patientId: string) => readonly StudyKeys[],
    studiesOfObject: (uid: string) => readonly string[],
  ): { steps: LinkStep[]; ends: LinkEnd[] } {
    const ends = [...this.#nodes].flatMap(([name, node]) =>
      [false, true].flatMap((own) =>
        endsOf(name, node, { own, studies: studiesOf(node.patientId), studiesOfObject }),
      ),
    );
    return { ends, steps: this.#stepsTo(new Set(ends.map(({ type, id }) => `${type}/${id}`))) };
  }

  /** Returns the steps of which one, or one after it, comes to some resources. */
  #stepsTo(goals: ReadonlySet<string>): LinkStep[] {
    const back = new Map<string, (Omit<Step, 'to'> & { from: string })[]>();
    const note = (from: string, { to, own, read }: Step): void => {
      const patientId = this.#nodes.get(to)?.patientId;
      // A way stays with one patient.
      if (patientId === undefined || patientId !== this.#nodes.get(from)?.patientId || from === to) return;
      const steps = back.get(to);
      if (steps) steps.push({ from, own, read });
      else back.set(to, [{ from, own, read }]);
    };
    for (const [name, { steps }] of this.#nodes) for (const step of steps) note(name, step);
    for (const { from, ...step } of this.#later) note(from, step);
    const found: LinkStep[] = [];
    const reached = new Set(goals);
    for (const to of reached) {
      for (const { from, own, read } of back.get(to) ?? []) {
        const target = nameOf(to);
        found.push({ ...nameOf(from), to_type: target.type, to_id: target.id, own, read });
        reached.add(from);
      }
    }
    return found;
  }

  #read(resource: Resource, node: Node): void {
    const { resourceType: type, id } = resource;
    const row = LINKS[type]!;
    this.#addIdentifiers(resource, (node.named = new Named()));
    if (type === 'ImagingStudy' && uidsOf(identifiersAt(resource, 'identifier')).length === 0)
      // A study of the record without a UID is known by its id.
      node.named.studyUids.add(id!);
    for (const lead of row.leads)
      for (const reference of referencesAt(resource, lead.path))
        this.#follow(reference, { lead, container: resource, node });
    const to = `${type}/${id}`;
    if (type === 'ImagingStudy')
      for (const { element, of } of NAMED_BY)
        for (const from of namesAt(resource, element, of))
          this.#later.push({ from, to, own: false, read: false });
    const encounter = IN_ENCOUNTER[type];
    if (encounter !== undefined)
      for (const from of namesAt(resource, encounter, 'Encounter'))
        this.#later.push({ from, to, own: true, read: false });
    if (node.named.isEmpty) node.named = undefined;
  }

  #addIdentifiers(resource: Resource, named: Named): void {
    const { identifiers: paths, ofObjects } = LINKS[resource.resourceType]!;
    for (const path of paths) {
      const identifiers = identifiersAt(resource, path);
      for (const uid of uidsOf(identifiers)) (ofObjects ? named.objectUids : named.studyUids).add(uid);
      this.#addAccessions(identifiers, named, path === 'requisition' && this.#joins.requisition);
    }
  }

  #addAccessions(identifiers: readonly (Identifier | undefined)[], named: Named, whateverType = false): void {
    const numbers = whateverType
      ? identifiers.flatMap((one) => (one ? accessionOf(one) : []))
      : accessionsOf(identifiers, this.#joins.accessionTypes);
    for (const number of numbers) named.accessions.add(accessionText(number));
  }

  #follow(reference: Reference, place: { lead: Lead; container: Resource; node: Node }): void {
    const { lead, container, node } = place;
    const own = lead.ownOnly === true;
    const named = own ? (node.ownNamed ??= new Named()) : node.named!;
    named.addUids(
      uidsInReference(
        reference,
        lead.to.every((type) => type === 'ImagingStudy'),
      ),
    );
    this.#addAccessions([reference.identifier], named);
    if (reference.reference?.startsWith('#')) {
      const contained = containedIn(container, reference.reference);
      const selection = contained && selectionOf(contained);
      if (selection) {
        named.addUids(selection);
        for (const one of selection.derivedFrom)
          if (!one.reference?.startsWith('#')) this.#follow(one, place);
      } else if (contained && lead.to.includes(contained.resourceType)) {
        this.#addIdentifiers(contained, named);
      }
      return;
    }
    const target = targetOf(reference);
    if (!target || !lead.to.includes(target.type)) return;
    // Its id is the UID of the study, and says all.
    if (target.type === 'ImagingStudy' && isDottedUid(target.id)) return;
    node.steps.push({ to: `${target.type}/${target.id}`, own, read: true });
  }
}

/** Returns the resource of the record that a reference names. One in a store is relative: an absolute URL is of another server. */
function targetOf({ reference }: Reference): { type: string; id: string } | undefined {
  return /^[a-z][a-z0-9+.-]*:/i.test(reference ?? '') ? undefined : parseReference(reference);
}

/** Returns the names (`Encounter/1`) of the resources of a type that an element refers to. */
function namesAt(resource: Resource, element: string, type: string): string[] {
  return referencesAt(resource, element).flatMap((reference) => {
    const target = targetOf(reference);
    return target?.type === type ? `${type}/${target.id}` : [];
  });
}

function nameOf(name: string): { type: string; id: string } {
  const slash = name.indexOf('/');
  return { type: name.slice(0, slash), id: name.slice(slash + 1) };
}

function endsOf(
  name: string,
  { patientId, named, ownNamed }: Node,
  {
    own,
    studies,
    studiesOfObject,
  }: { own: boolean; studies: readonly StudyKeys[]; studiesOfObject: (uid: string) => readonly string[] },
): LinkEnd[] {
  const said = own ? ownNamed : named;
  if (!said) return [];
  const uids = [...said.studyUids, ...[...said.objectUids].flatMap(studiesOfObject)];
  const byUid = studyTest({ _patientId: patientId, _studyUids: uids });
  const byAccession = studyTest({ _patientId: patientId, _accessionNumbers: [...said.accessions] });
  return studies.flatMap((study): LinkEnd[] => {
    const rule = byUid?.(study) ? 'uid' : byAccession?.(study) ? 'accession' : undefined;
    return rule ? [{ ...nameOf(name), patient_id: patientId, study_id: study.id, rule, own }] : [];
  });
}
