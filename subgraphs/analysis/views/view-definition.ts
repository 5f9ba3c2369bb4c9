/** A ViewDefinition of SQL on FHIR 3 (ballot), as far as it decides rows. Inline ones are checked by `compileView`. */
export interface ViewDefinition {
  resourceType?: string;
  url?: string;
  name?: string;
  title?: string;
  description?: string;
  status?: string;
  resource: string;
  constant?: readonly Record<string, unknown>[];
  select: readonly ViewSelect[];
  where?: readonly { path: string; description?: string }[];
}

export interface ViewSelect {
  column?: readonly ViewColumn[];
  select?: readonly ViewSelect[];
  forEach?: string;
  forEachOrNull?: string;
  repeat?: readonly string[];
  unionAll?: readonly ViewSelect[];
}

export interface ViewColumn {
  name: string;
  path: string;
  description?: string;
  /** FHIR type of its values. */
  type?: string;
  collection?: boolean;
  tag?: readonly { name: string; value: string }[];
}

/** Elements of each part, by which a misspelt one is found. */
export const ELEMENTS = {
  select: ['column', 'select', 'forEach', 'forEachOrNull', 'repeat', 'unionAll'],
  column: ['name', 'path', 'description', 'type', 'collection', 'tag'],
  where: ['path', 'description'],
} as const;

/** Names of views, columns and constants (SQL on FHIR, constraint sql-name). */
export const SQL_NAME = /^[A-Za-z][A-Za-z0-9_]*$/;
