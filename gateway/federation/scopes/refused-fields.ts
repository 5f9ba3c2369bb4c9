import type { FieldNode, GraphQLNamedType, SelectionSetNode } from 'graphql';
import { getArgumentValues, getNamedType, getVariableValues, isAbstractType, isObjectType } from 'graphql';
import { missingScopes, scopesMissing } from '../../../schema/access/scopes.ts';
import { toGraphqlError } from '../../../schema/graphql/graphql-fault.ts';
import type { AskedOperation } from '../document/asked-operation.ts';
import { collectFields } from '../document/collect-fields.ts';
import { fragmentsOf } from '../document/fragments.ts';
import type { RequestScope } from '../request/request-scope.ts';
import { CONTAINED, type Need, type Refusals } from './field-scopes.ts';
import { refuseField } from './refuse-field.ts';

/** A field that is refused in an operation. */
export interface FieldRefusal {
  /** Names in the answer, without positions in lists. */
  path: readonly string[];
  /** All selections of the field under one name. */
  nodes: readonly FieldNode[];
  /** Type that has the field. */
  parent: string;
  args: Readonly<Record<string, unknown>>;
  need: Need;
}

/** A selection in an operation. */
interface Place {
  type: GraphQLNamedType | null | undefined;
  sets: readonly SelectionSetNode[];
  path: readonly string[];
  isContained: boolean;
}

/** Returns the fields of a valid operation that are refused, without those that its conditions leave out. */
export function refusedFields(asked: AskedOperation, refusals: Refusals): FieldRefusal[] {
  const { schema, document, operation } = asked;
  const { coerced } = getVariableValues(schema, operation.variableDefinitions ?? [], asked.variables);
  // The executor refuses wrong variables.
  if (!coerced) return [];
  const from = { schema, fragments: fragmentsOf(document), variables: coerced, defers: false };
  const refused: FieldRefusal[] = [];
  const collect = ({ type, ...place }: Place): void => {
    if (isAbstractType(type))
      for (const member of schema.getPossibleTypes(type)) collect({ ...place, type: member });
    if (!isObjectType(type)) return;
    for (const [name, nodes] of collectFields(from, type, place.sets).fields) {
      const [node] = nodes as [FieldNode];
      const field = type.getFields()[node.name.value];
      if (!field) continue;
      const path = [...place.path, name];
      const need = refusals.ofField(type.name, field.name, place.isContained);
      const sets = nodes.flatMap(({ selectionSet }) => selectionSet ?? []);
      if (need) {
        refused.push({ path, nodes, parent: type.name, args: getArgumentValues(field, node, coerced), need });
      } else if (sets.length > 0) {
        collect({ type: getNamedType(field.type), sets, path, isContained: field.name === CONTAINED });
      }
    }
  };
  const type = schema.getRootType(operation.operation);
  collect({ type, sets: [operation.selectionSet], path: [], isContained: false });
  return refused;
}

/**
 * Refuses an operation with a field that is refused, before any source is asked, where an answer without the field is not
 * wanted: by the tenant's `refusedFields`, and in a stream, whose rows are whole.
 * @throws GraphQLError with the Fault `insufficient_scope`, which names all scopes that are missing
 */
export function requireCovered(
  scope: RequestScope,
  asked: AskedOperation,
  refusals: Refusals | undefined,
): void {
  const { access, rows, tenant } = scope;
  if (!rows && tenant.authorization.refusedFields !== 'reject') return;
  const refused = refusals ? refusedFields(asked, refusals) : [];
  const [first] = refused;
  if (!first) return;
  for (const field of refused) refuseField(scope, field);
  const missing = refused.flatMap(({ need }) => missingScopes(access, need.scopes));
  throw toGraphqlError(scopesMissing(access, missing), first.path);
}
