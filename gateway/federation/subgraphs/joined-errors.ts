import type { GraphQLFormattedError } from 'graphql';

/** Errors that differ only in the position in a list, and are given one by one. */
const MOST_EQUAL = 100;

/**
 * Limits errors that differ only in the position in a list, such as a reference that is refused in every row: 100 are given,
 * each with its own path, and one more that has the number of all further ones, itself included, in `extensions.count`.
 */
export function joinEqualErrors(errors: readonly GraphQLFormattedError[]): GraphQLFormattedError[] {
  const groups = new Map<string, GraphQLFormattedError[]>();
  for (const error of withOneClock(errors)) {
    const { message, path, extensions } = error;
    const fields = path?.filter((part) => typeof part === 'string');
    const key = JSON.stringify([message, fields, extensions]);
    const equal = groups.get(key);
    if (equal) equal.push(error);
    else groups.set(key, [error]);
  }
  return [...groups.values()].flatMap((equal) => {
    const count = equal.length - MOST_EQUAL;
    if (count < 2) return equal;
    const next = equal[MOST_EQUAL]!;
    return [...equal.slice(0, MOST_EQUAL), { ...next, extensions: { ...next.extensions, count } }];
  });
}

/** Gives equal failures one `retryAfter`, the longest: each was told by a clock that went on meanwhile. */
function withOneClock(errors: readonly GraphQLFormattedError[]): readonly GraphQLFormattedError[] {
  const longest = new Map<string, number>();
  const failureOf = ({ message, extensions }: GraphQLFormattedError) =>
    `${String(extensions?.['code'])} ${message}`;
  const secondsOf = ({ extensions }: GraphQLFormattedError) =>
    extensions?.['retryAfter'] as number | undefined;
  for (const error of errors) {
    const seconds = secondsOf(error);
    const failure = failureOf(error);
    if (seconds !== undefined) longest.set(failure, Math.max(seconds, longest.get(failure) ?? 0));
  }
  return errors.map((error) =>
    secondsOf(error) === undefined
      ? error
      : { ...error, extensions: { ...error.extensions, retryAfter: longest.get(failureOf(error)) } },
  );
}

const SCHEMA = 'The schema is at /schema.graphql, and the playground of the tenant completes its names.';

/** The end of a message of graphql-js about an unknown name, which names similar ones of the schema. */
const SUGGESTION = / Did you mean (?:(?!Did you mean)[^])*\?$/;

/** The begin of a message of graphql-js about a name that is not in the schema. */
const UNKNOWN_NAME = /^(?:Cannot query field|Unknown (?:argument|type|directive)) /;

/** Says where the schema is in errors about a name to which none is similar. */
export function withSchemaHint(errors: readonly GraphQLFormattedError[]): readonly GraphQLFormattedError[] {
  return errors.map((error) =>
    isAboutDocument(error) &&
    UNKNOWN_NAME.test(error.message) &&
    !/ Did you mean | \/schema/.test(error.message)
      ? { ...error, message: `${error.message} ${SCHEMA}` }
      : error,
  );
}

/** Replaces suggestions, which tell parts of the schema, by the place where the schema can be read. */
export function withoutSuggestions(errors: readonly GraphQLFormattedError[]): GraphQLFormattedError[] {
  return errors.map((error) =>
    isAboutDocument(error) && SUGGESTION.test(error.message)
      ? { ...error, message: error.message.replace(SUGGESTION, ` ${SCHEMA}`) }
      : error,
  );
}

function isAboutDocument({ extensions }: GraphQLFormattedError): boolean {
  return ['GRAPHQL_VALIDATION_FAILED', 'BAD_USER_INPUT'].includes(String(extensions?.['code']));
}
