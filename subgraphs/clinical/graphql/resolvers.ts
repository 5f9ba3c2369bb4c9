import type { Reference, Resource } from 'fhir/r4.js';
import type { DocumentNode } from 'graphql';
import {
  datatypeResolvers,
  unresolved,
  type UnionMember,
} from '../../../schema/graphql/datatype-resolvers.ts';
import { requireScope } from '../../../schema/access/scopes.ts';
import { addExpressionLists } from '../../../schema/graphql/expression-lists.ts';
import type { ItemSelector } from '../../../schema/expressions/item-selector.ts';
import { noSuchResource } from '../../../schema/fault/refusals.ts';
import type { Args } from '../../../schema/fhir/search/search-arguments.ts';
import { faultsAsErrors } from '../../../schema/graphql/graphql-fault.ts';
import { clinicalResources, graphqlType, isResourceType, tables } from '../../../schema/fhir/tables.ts';
import type { Clinical } from '../record/clinical.ts';
import { imagingJoins, studyFields } from './imaging-joins.ts';
import { studyUidOfReference } from '../joins/study-links.ts';
import { overTime } from './over-time.ts';
import { pageOf, relatedPageOf } from '../record/page.ts';
import { searchAlone, type Relation } from '../record/related.ts';
import { patientOrId, resolversOfUnreadablePatient } from './patient.ts';
import { connectionResolver, resolver, type ClinicalContext, type Fields } from './field-resolver.ts';
import { referenceOf, searchOf } from './search-arguments.ts';

/** Returns all resolvers of the clinical subgraph, made from the tables (FG-1). */
export function clinicalResolvers(sdl: DocumentNode, selector: ItemSelector): Record<string, object> {
  const resolvers: Record<string, Fields> = datatypeResolvers<ClinicalContext>(
    sdl,
    resolveReference,
    selector,
  ) as Record<string, never>;
  const add = (type: string, fields: Record<string, unknown>): void => {
    resolvers[type] = Object.assign(resolvers[type] ?? {}, fields);
  };
  for (const type of clinicalResources) {
    add('Query', rootFields(type));
    add(graphqlType(type), {
      __resolveReference: async ({ id }: { id: string }, { clinical }: ClinicalContext) => {
        const found = await readEntity(clinical, type, id);
        // Its caller adds the name of the type to it.
        return Object.isFrozen(found) ? { ...(found as object) } : found;
      },
      ...reverseFields(type),
    });
  }
  add('Patient', resolversOfUnreadablePatient(resolvers['Patient'] ?? {}));
  for (const more of [imagingJoins(), overTime(), studyFields()]) {
    for (const [type, fields] of Object.entries(more)) add(type, fields);
  }
  addExpressionLists<ClinicalContext>(sdl, resolvers, selector);
  return resolvers;
}

const readEntity = faultsOf((clinical: Clinical, type: string, id: string) =>
  type === 'Patient' ? patientOrId(clinical, id) : clinical.read(type, id),
);

function faultsOf<A extends unknown[]>(read: (...args: A) => unknown) {
  const guarded = faultsAsErrors<A, unknown, unknown>((args) => read(...args));
  // eslint-disable-next-line no-restricted-syntax -- the function does not take it
  return (...args: A): unknown => guarded(args, {}, {}, undefined as never);
}

function rootFields(type: string): Fields {
  return {
    [type]: resolver((_: unknown, { id }, clinical) => readEntity(clinical, type, id as string)),
    [`${type}List`]: resolver((_: unknown, args, clinical) => clinical.list(type, searchOf(type, args))),
    [`${type}Connection`]: connectionResolver(type, (search, _, { clinical }) =>
      pageOf(clinical, type, search),
    ),
  };
}

/** Fields of the resources that refer to a resource: `ConditionList` of a Patient (FG-3). */
function reverseFields(target: string): Fields {
  const fields: Fields = {};
  for (const type of Object.keys(tables.reverse[target] ?? {})) {
    const relationOf = ({ id }: Resource, args: Args): Relation => {
      // A contained resource may have no id: nothing refers to it.
      if (id === undefined) throw noSuchResource();
      return { type, code: referenceOf(type, target, args), target, id };
    };
    fields[`${type}List`] = resolver((source: Resource, args, clinical) =>
      clinical.related(relationOf(source, args), searchOf(type, args)),
    );
    fields[`${type}Connection`] = connectionResolver<Resource>(
      type,
      (search, source, { args, clinical }) => relatedPageOf(clinical, relationOf(source, args), search),
      (search, source, args) => searchAlone(relationOf(source, args), search),
    );
  }
  return fields;
}

/** Returns a resource that the other subgraph reads. @throws Fault `insufficient_scope` */
function ofOtherSubgraph({ access }: Clinical, type: string, id: string): UnionMember {
  requireScope(access, type, 'r');
  return { __typename: type, id };
}

/** Resolves a reference to a resource of this subgraph or of the other (FG-3). */
async function resolveReference(
  reference: Reference,
  { clinical }: ClinicalContext,
  type?: string,
): Promise<UnionMember | undefined> {
  const target = await clinical.target(reference.reference);
  const wanted = target?.type ?? reference.type;
  if (type !== undefined && wanted !== undefined && wanted !== type) return undefined;
  const uid =
    wanted === undefined || wanted === 'ImagingStudy'
      ? await studyUidOfReference(clinical, reference)
      : undefined;
  if (uid !== undefined) {
    return type === undefined || type === 'ImagingStudy'
      ? ofOtherSubgraph(clinical, 'ImagingStudy', uid)
      : undefined;
  }
  if (reference.reference === undefined) return undefined;
  if (!target || !isResourceType(target.type)) throw unresolved();
  // It also reads a study of the record that has no UID (IA-34).
  if (target.type === 'Endpoint' || target.type === 'ImagingStudy')
    return ofOtherSubgraph(clinical, target.type, target.id);
  return (
    target.type === 'Patient' ? patientOrId(clinical, target.id) : clinical.read(target.type, target.id)
  ) as Promise<UnionMember>;
}
