import type { GraphQLFormattedError } from 'graphql';

/** Paths that a joined error names besides the number of them. */
const MOST_PATHS = 10;

type Path = NonNullable<GraphQLFormattedError['path']>;

/**
 * Joins errors that differ only in the position in a list: a reference that is refused in a hundred rows is one error. It
 * has the path of the first, `extensions.count`, and up to ten paths in `extensions.paths`.
 */
export function joinEqualErrors(errors: readonly GraphQLFormattedError[]): GraphQLFormattedError[] {
  const groups = new Map<string, { error: GraphQLFormattedError; count: number; paths: Path[] }>();
  for (const error of errors) {
    const { message, path, extensions } = error;
    const fields = path?.filter((part) => typeof part === 'string');
    const key = JSON.stringify([message, fields, extensions]);
    const group = groups.get(key) ?? { error, count: 0, paths: [] };
    groups.set(key, group);
    group.count++;
    if (path && group.paths.length < MOST_PATHS) group.paths.push(path);
  }
  return [...groups.values()].map(({ error, count, paths }) =>
    count === 1 ? error : { ...error, extensions: { ...error.extensions, count, paths } },
  );
}

/** The end of a message of graphql-js about an unknown name, which names similar ones of the schema. */
const SUGGESTION = / Did you mean (?:(?!Did you mean)[^])*\?$/;

/** Replaces suggestions, which tell parts of the schema, by the place where the schema can be read. */
export function withoutSuggestions(errors: readonly GraphQLFormattedError[]): GraphQLFormattedError[] {
  return errors.map((error) =>
    isAboutDocument(error) && SUGGESTION.test(error.message)
      ? { ...error, message: error.message.replace(SUGGESTION, ' The schema is at /schema.graphql.') }
      : error,
  );
}

function isAboutDocument({ extensions }: GraphQLFormattedError): boolean {
  return ['GRAPHQL_VALIDATION_FAILED', 'BAD_USER_INPUT'].includes(String(extensions?.['code']));
}
