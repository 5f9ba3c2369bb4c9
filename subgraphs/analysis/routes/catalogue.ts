import type { Library, Resource } from 'fhir/r4.js';
import { basename } from 'node:path';
import { Fault } from '../../../schema/fault/fault.ts';
import type { AnalysisConfig } from '../../../schema/tenant/tenant.ts';
import { sqlTypeText } from '../parquet-tables.ts';
import type { TableColumn } from '../views/column-types.ts';
import { otherTables, tablesOf } from '../views/tables.ts';
import type { ViewDefinition } from '../views/view-definition.ts';
import { AnnotationError, publishedQuestion } from './published-question.ts';

/** The parts of a tenant's configuration that say which tables and questions it has. */
export type Described = Pick<AnalysisConfig, 'views' | 'definitions' | 'dicom' | 'questions' | 'statements'>;

/** A ViewDefinition as it is served. R4 has no such resource. */
export type ServedView = ViewDefinition & Pick<Resource, 'id'> & { name: string; url: string };

/** Meaning of a name of the standard. */
export type Found = { table: string } | { library: Library };

/** The tables of a tenant and its published questions, by the names that the standard has for them. */
export class Catalogue {
  /** One for each table, those without a view too. */
  readonly views: readonly ServedView[];
  readonly libraries: readonly (Library & { url: string })[];
  /** Type of the resources of which a table is made, by the name of the table. */
  readonly types: ReadonlyMap<string, string>;
  /** Columns of a table with their types of SQL, by the name of the table. */
  readonly columns: ReadonlyMap<string, readonly { name: string; type: string }[]>;
  readonly #base: string;

  /**
   * @param base absolute base of FHIR REST, of which the addresses are made
   * @throws ViewDefinitionError, AnnotationError: see `mistakesOf`
   */
  constructor(described: Described, base: string) {
    this.#base = base;
    const tables = [
      ...tablesOf(described.definitions).map(({ view, ...table }) => ({ ...table, columns: view.columns })),
      ...Object.entries(otherTables(described.dicom)).map(([name, columns]) => {
        return { name, columns, definition: definitionOf(name, columns) };
      }),
    ];
    this.columns = new Map(
      tables.map(({ name, columns }) => [
        name,
        columns.map((column) => ({ name: column.name, type: sqlTypeText(column) })),
      ]),
    );
    this.views = tables.map(({ definition }) => {
      const id = idOf(definition.name!);
      return {
        ...definition,
        resourceType: 'ViewDefinition',
        id,
        url: definition.url ?? `${base}/ViewDefinition/${id}`,
        name: definition.name!,
      };
    });
    this.libraries = questionsOf(described).map((library) => {
      return { ...library, url: `${base}/Library/${library.id}` };
    });
    this.types = new Map(this.views.map(({ name, resource }) => [name, resource]));
  }

  /** Returns what a canonical URL names, with `|version` or without; undefined when it is not known. */
  canonical(canonical: string): Found | undefined {
    const [url = '', version] = canonical.split('|');
    const isNamed = (one: { url: string; version?: unknown }) =>
      one.url === url && (version === undefined || one.version === version);
    const view = this.views.find(isNamed);
    if (view) return { table: view.name };
    const library = this.libraries.find(isNamed);
    return library ? { library } : undefined;
  }

  /** Returns what a literal reference names: `ViewDefinition/patient`, also as an address of this server. */
  reference(reference: string): Found | undefined {
    const below = reference.startsWith(`${this.#base}/`) ? reference.slice(this.#base.length + 1) : reference;
    const [type, id = '', ...rest] = below.split('/');
    if (rest.length > 0) return undefined;
    const view = type === 'ViewDefinition' && this.view(id);
    if (view) return { table: view.name };
    const library = type === 'Library' && this.libraries.find((one) => one.id === id);
    return library ? { library } : undefined;
  }

  /** Returns the view with an id: the name of its table, in which an id has `-` for `_`. */
  view(id: string): ServedView | undefined {
    return this.views.find((view) => view.id === id || view.name === id);
  }
}

/** Returns the FHIR id of a table. */
const idOf = (name: string): string => name.replaceAll('_', '-').slice(0, 64);

const FHIR_TYPES: Partial<Record<TableColumn['sqlType'], string>> = {
  VARCHAR: 'string',
  INTEGER: 'integer',
  BIGINT: 'integer64',
  DOUBLE: 'decimal',
  DATE: 'date',
};

/** Describes a table that no view makes, so that all tables are listed in one form. */
function definitionOf(name: string, columns: readonly TableColumn[]): ViewDefinition {
  return {
    resourceType: 'ViewDefinition',
    name,
    status: 'active',
    description: `${SAID[name]} This server makes the table itself: the paths are empty, and elsewhere the view gives nothing.`,
    resource: 'ImagingStudy',
    select: [
      {
        column: columns.map(({ name: column, sqlType, collection, description }) => ({
          name: column,
          path: '{}',
          type: FHIR_TYPES[sqlType]!,
          ...(collection && { collection }),
          description,
        })),
      },
    ],
  };
}

const SAID: Readonly<Record<string, string>> = {
  imaging_instance: 'One row for each DICOM object.',
  study_link: 'One row for each report, order or other resource that belongs to a study.',
};

/** @throws AnnotationError */
const questionsOf = ({ questions, statements }: Pick<Described, 'questions' | 'statements'>): Library[] =>
  statements.map((sql, index) => publishedQuestion(basename(questions[index]!), sql));

/** Returns what is wrong with the tables and questions of a tenant, each with the path of its key. */
export function mistakesOf(described: Described): { path: string; reason: string }[] {
  const { definitions, questions, statements } = described;
  const ofViews = definitions.flatMap((_, index) => {
    // Those before it are right, or named already.
    const reason = reasonOf(() => tablesOf(definitions.slice(0, index + 1)), Fault);
    return reason === undefined ? [] : [{ path: `analysis.views[${index}]`, reason }];
  });
  const ids = new Set<string>();
  const ofQuestions = statements.flatMap((sql, index) => {
    const reason = reasonOf(() => {
      const { id, name } = publishedQuestion(basename(questions[index]!), sql);
      if (ids.has(id!)) throw new AnnotationError(`there is a question ${name} already`);
      ids.add(id!);
    }, AnnotationError);
    return reason === undefined ? [] : [{ path: `analysis.questions[${index}]`, reason }];
  });
  return [...ofViews.slice(0, 1), ...ofQuestions];
}

/** Runs a check. @param kind of the errors that are mistakes of the files */
function reasonOf(check: () => void, kind: typeof Fault | typeof AnnotationError): string | undefined {
  try {
    check();
    return undefined;
  } catch (error) {
    if (!(error instanceof kind)) throw error;
    return error.message.replaceAll('\n', '; ');
  }
}
