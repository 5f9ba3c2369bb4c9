import type { Reference, Resource } from 'fhir/r4.js';
import type { DocumentNode } from 'graphql';
import type { UnionMember } from '../../../schema/graphql/datatype-resolvers.ts';
import { datatypeResolvers, unresolved } from '../../../schema/graphql/datatype-resolvers.ts';
import type { ItemSelector } from '../../../schema/expressions/item-selector.ts';
import { faultsAsErrors } from '../../../schema/graphql/graphql-fault.ts';
import { clinicalResources, graphqlType, isResourceType, tables } from '../../../schema/fhir/tables.ts';
import type { Clinical } from '../record/clinical.ts';
import { imagingJoins } from './imaging-joins.ts';
import { studyUidOfReference } from '../joins/imaging-links.ts';
import type { Page } from '../record/page.ts';
import { pageOf } from '../record/page.ts';
import { patientOrId, resolversOfUnreadablePatient } from './patient.ts';
import type { ClinicalContext, Fields } from './resolver.ts';
import { resolver } from './resolver.ts';
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
      __resolveReference: ({ id }: { id: string }, { clinical }: ClinicalContext) =>
        readEntity(clinical, type, id),
      ...reverseFields(type),
    });
  }
  add('Patient', resolversOfUnreadablePatient(resolvers['Patient'] ?? {}));
  for (const [type, fields] of Object.entries(imagingJoins())) add(type, fields);
  return resolvers;
}

const readEntity = faultsOf((clinical: Clinical, type: string, id: string) =>
  type === 'Patient' ? patientOrId(clinical, id) : clinical.read(type, id),
);

function faultsOf<A extends unknown[]>(read: (...args: A) => Promise<unknown>) {
  const guarded = faultsAsErrors<A, unknown, unknown>((args) => read(...args));
  return (...args: A): unknown => guarded(args, {}, {}, undefined as never);
}

function rootFields(type: string): Fields {
  return {
    [type]: resolver((_: unknown, { id }, clinical) => readEntity(clinical, type, id as string)),
    [`${type}List`]: resolver((_: unknown, args, clinical) => clinical.list(type, searchOf(type, args))),
    [`${type}Connection`]: resolver(async (_: unknown, args, clinical) =>
      connection(await pageOf(clinical, type, { ...searchOf(type, args), total: 'accurate' })),
    ),
  };
}

/** Fields of the resources that refer to a resource: `ConditionList` of a Patient (FG-3). */
function reverseFields(target: string): Fields {
  const fields: Fields = {};
  for (const source of Object.keys(tables.reverse[target] ?? {})) {
    fields[`${source}List`] = resolver(({ id }: Resource, args, clinical) =>
      clinical.related(source, referenceOf(source, target, args), target, id ?? '', searchOf(source, args)),
    );
    fields[`${source}Connection`] = resolver(async ({ id }: Resource, args, clinical) => {
      const { params, ...search } = searchOf(source, args);
      const bound = [...params, [referenceOf(source, target, args), `${target}/${id}`]] as const;
      return connection(await pageOf(clinical, source, { ...search, params: bound, total: 'accurate' }));
    });
  }
  return fields;
}

function connection({ resources, applied: _, ...page }: Page): object {
  return { ...page, edges: resources.map((resource) => ({ mode: 'match', resource })) };
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
      ? { __typename: 'ImagingStudy', id: uid }
      : undefined;
  }
  if (reference.reference === undefined) return undefined;
  if (!target || !isResourceType(target.type) || target.type === 'ImagingStudy') throw unresolved();
  if (target.type === 'Endpoint') return { __typename: 'Endpoint', id: target.id };
  return (
    target.type === 'Patient' ? patientOrId(clinical, target.id) : clinical.read(target.type, target.id)
  ) as Promise<UnionMember>;
}
