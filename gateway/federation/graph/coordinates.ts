import {
  isEnumType,
  isInputObjectType,
  isObjectType,
  isRequiredArgument,
  isUnionType,
  type GraphQLNamedType,
  type GraphQLSchema,
} from 'graphql';

/** Types of GraphQL itself and of federation, which each schema has. */
const OWN = /^(__|_(Any|Service|Entity)$|link__|federation__)/;
/** Fields of federation, at the root of a subgraph. */
const OWN_FIELD = /^_(entities|service)$/;

/**
 * Returns a text for each part of a schema: `Patient.name: [HumanName!]`, `Query.Patient(id): Patient` with the required
 * arguments, `Patient.name(use: String)`, `Status.ACTIVE`, `Resource = Patient`. A schema can be served by another one that
 * has all of its texts.
 */
export function coordinatesOf(schema: GraphQLSchema): string[] {
  return Object.values(schema.getTypeMap())
    .filter(({ name }) => !OWN.test(name))
    .flatMap((type) => [type.name, ...partsOf(type)]);
}

function partsOf(type: GraphQLNamedType): string[] {
  const { name } = type;
  if (isEnumType(type)) return type.getValues().map((value) => `${name}.${value.name}`);
  if (isUnionType(type)) return type.getTypes().map((member) => `${name} = ${member.name}`);
  if (isInputObjectType(type))
    return Object.values(type.getFields()).map((field) => `${name}.${field.name}: ${String(field.type)}`);
  if (!isObjectType(type)) return [];
  return Object.values(type.getFields())
    .filter((field) => !OWN_FIELD.test(field.name))
    .flatMap((field) => {
      const path = `${name}.${field.name}`;
      const required = field.args.filter(isRequiredArgument).map((arg) => arg.name);
      return [
        `${path}${required.length > 0 ? `(${required.sort().join()})` : ''}: ${String(field.type)}`,
        ...field.args.map((arg) => `${path}(${arg.name}: ${String(arg.type)})`),
      ];
    });
}
