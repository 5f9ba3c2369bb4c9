import type { Library } from 'fhir/r4.js';
import { Fault } from '../../../schema/fault/fault.ts';
import type { NamedView, SqlParameter } from '../sql/query.ts';
import type { Catalogue, Found } from './catalogue.ts';
import { oneText, parametersOf, resourcesOf, type Given, type Json } from './given.ts';
import { readLibrary, type SqlLibrary } from './library.ts';
import { sqlValues } from './sql-values.ts';

/** Libraries that name each other, from the subject on. */
const DEEPEST = 10;

/** A table of the request alone: its rows are made of what searches by the caller's token find. */
export interface InlineTable {
  name: string;
  /** Type of the resources. */
  resource: string;
  /** The ViewDefinition. It is checked where its rows are made. */
  definition: Json;
}

/** A question with all that it needs besides the rows. */
export interface Question {
  /** Name of the artefact that is asked, if it has one. */
  name: string | undefined;
  /** The table of this server that it asks for as it is; undefined for all else. */
  table: string | undefined;
  sql: string;
  parameters: Readonly<Record<string, SqlParameter>>;
  /** Names that the statement has for tables. */
  views: readonly NamedView[];
  inline: readonly InlineTable[];
  /** True when the statement may name all tables of the caller, and not only `views`. */
  isOpen: boolean;
}

/** The ViewDefinition or Library that is asked, by its name or itself. */
type Subject = Found | { resource: Json };

/** Parameters that name the subject. */
export const SUBJECTS = ['subjectCanonical', 'subjectReference', 'subjectResource'] as const;

/**
 * Finds the subject that parameters name.
 * @throws Fault `invalid_request` for none or several, `not_found` for one that is not known, `unprocessable` for a resource
 *   of another kind
 */
export function subjectOf(given: readonly Given[], catalogue: Catalogue): Subject {
  const named = given.filter(({ name }) => (SUBJECTS as readonly string[]).includes(name));
  if (named.length !== 1) throw new Fault('invalid_request', `Send one of ${SUBJECTS.join(', ')}.`);
  const [resource] = resourcesOf(given, 'subjectResource');
  if (resource) return { resource };
  const canonical = oneText(given, 'subjectCanonical', 'canonical');
  const found =
    canonical === undefined
      ? catalogue.reference(oneText(given, 'subjectReference', 'reference')!)
      : catalogue.canonical(canonical);
  if (found) return found;
  throw new Fault(
    'not_found',
    'There is no such ViewDefinition or Library. GET ViewDefinition and GET Library list those that there are.',
  );
}

/**
 * Makes the question of a subject.
 * @param values entries of `parameters`
 * @param context ViewDefinitions and Libraries that the request brings with it
 * @throws Fault `invalid_request` for values and context that do not fit, `not_found` for a table that is not known,
 *   `unprocessable` for a wrong ViewDefinition or Library
 */
export function questionOf(
  subject: Subject,
  catalogue: Catalogue,
  { values, context }: { values: readonly Json[]; context: Context },
): Question {
  const [parameters, ...others] = values;
  if (others.length > 0) throw new Fault('invalid_request', 'parameters is given once.');
  const given = parameters && parametersOf(parameters);
  const library = 'library' in subject ? asJson(subject.library) : undefined;
  const resource = 'resource' in subject ? subject.resource : library;
  if (resource?.['resourceType'] === 'Library') return ofLibrary(resource, catalogue, { given, context });
  if (given) throw new Fault('invalid_request', 'A ViewDefinition has no parameters.');
  if ('table' in subject) {
    const sql = `SELECT * FROM ${quoted(subject.table)}`;
    const { table } = subject;
    return { name: table, table, sql, parameters: {}, views: [], inline: [], isOpen: true };
  }
  if (resource?.['resourceType'] !== 'ViewDefinition')
    throw new Fault('unprocessable', 'The subject is a ViewDefinition, or a Library with SQL.');
  const table = context.table(resource);
  const { name } = resource;
  return {
    name: typeof name === 'string' ? name : undefined,
    table: undefined,
    sql: `SELECT * FROM ${table.name}`,
    parameters: {},
    views: [],
    inline: [table],
    isOpen: false,
  };
}

function ofLibrary(
  resource: Json,
  catalogue: Catalogue,
  { given, context }: { given: readonly Given[] | undefined; context: Context },
): Question {
  const library = readLibrary(resource);
  const tables = new Tables(catalogue, context);
  tables.add(library, []);
  const { views, inline } = tables;
  const { name } = resource;
  return {
    name: typeof name === 'string' ? name : undefined,
    table: undefined,
    sql: library.sql,
    parameters: sqlValues(given ?? [], library.parameters),
    views,
    inline,
    isOpen: library.tables.length === 0,
  };
}

/** The supporting artefacts of a request (SQL on FHIR 3 ballot, "Supporting artefacts"), each of which has to be used. */
export class Context {
  readonly #supplied: readonly Json[];
  readonly #used = new Set<Json>();
  readonly #tables = new Map<Json, InlineTable>();

  /** @throws Fault `invalid_request` for one without `url`, or with that of another one */
  constructor(supplied: readonly Json[]) {
    const urls = supplied.map(({ url }) => url);
    if (urls.some((url) => typeof url !== 'string' || url === ''))
      throw new Fault('invalid_request', 'Each resource in context needs a url.');
    if (new Set(urls).size < urls.length)
      throw new Fault('invalid_request', 'Two resources in context have one url.');
    this.#supplied = supplied;
  }

  /** Returns the resource that a canonical URL means, which counts as used. */
  find(canonical: string): Json | undefined {
    const [url, version] = canonical.split('|');
    const found = this.#supplied.find(
      (one) => one['url'] === url && (version === undefined || one['version'] === version),
    );
    if (found) this.#used.add(found);
    return found;
  }

  /** Returns the table of a ViewDefinition of the request, the same for all that name it. */
  table(definition: Json): InlineTable {
    const known = this.#tables.get(definition);
    if (known) return known;
    const { resource } = definition;
    const type = typeof resource === 'string' ? resource : '';
    const table = { name: `inline_${this.#tables.size + 1}`, resource: type, definition };
    this.#tables.set(definition, table);
    return table;
  }

  /** @throws Fault `invalid_request` for one that no question depends on */
  requireUsed(): void {
    if (this.#used.size === this.#supplied.length) return;
    const message = 'A resource in context has a url that no relatedArtifact of the question names.';
    throw new Fault('invalid_request', message);
  }
}

/** The tables that a Library depends on, by the labels that its statement has for them. */
class Tables {
  readonly views: NamedView[] = [];
  readonly inline: InlineTable[] = [];
  readonly #labels = new Map<string, string>();
  readonly #catalogue: Catalogue;
  readonly #context: Context;

  constructor(catalogue: Catalogue, context: Context) {
    this.#catalogue = catalogue;
    this.#context = context;
  }

  /** @param above canonical URLs of the Libraries that led to this one */
  add(library: SqlLibrary, above: readonly string[]): void {
    for (const { label, canonical } of library.tables) {
      const known = this.#labels.get(label.toLowerCase());
      if (known !== undefined && known !== canonical)
        throw new Fault('invalid_request', `The label "${label}" names two tables: choose another one.`);
      if (known !== undefined) continue;
      this.#labels.set(label.toLowerCase(), canonical);
      this.#bind(label, canonical, above);
    }
  }

  #bind(name: string, canonical: string, above: readonly string[]): void {
    const supplied = this.#context.find(canonical);
    if (supplied?.['resourceType'] === 'ViewDefinition') {
      const table = this.#context.table(supplied);
      if (!this.inline.includes(table)) this.inline.push(table);
      this.views.push({ name, table: table.name });
      return;
    }
    const found = supplied ? undefined : this.#catalogue.canonical(canonical);
    if (found && 'table' in found) {
      this.views.push({ name, table: found.table });
      return;
    }
    const resource = supplied ?? (found && asJson(found.library));
    if (!resource)
      throw new Fault('not_found', `There is no view with the canonical URL of the table "${name}".`);
    if (above.includes(canonical) || above.length >= DEEPEST)
      throw new Fault('unprocessable', `The table "${name}" depends on itself, or on too many others.`);
    const library = readLibrary(resource);
    if (library.parameters.size > 0)
      throw new Fault('unprocessable', `The table "${name}" is a question with parameters, and no view.`);
    this.add(library, [...above, canonical]);
    this.views.push({ name, sql: library.sql });
  }
}

const asJson = (library: Library): Json => ({ ...library });

/** Names of tables and columns are checked: they have no quotes. */
const quoted = (name: string): string => `"${name}"`;
