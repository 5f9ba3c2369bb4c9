import { createHash } from 'node:crypto';
import type { Access } from '../../schema/access/access.ts';
import { permitting, requireScope, scopesMissing } from '../../schema/access/scopes.ts';
import { joinedTypes } from '../../schema/fhir/joined-types.ts';
import type { BuiltTable } from './build.ts';
import type { Dataset } from './datasets.ts';
import type { LinkedType, LinkedTypes, ReachTask } from './reach-file.ts';
import type { AnalysisSources, TypeReach } from './sources.ts';

/** The rights of one caller to the rows of a dataset. */
export interface Rights {
  /** Names the rows: it is another one for other rights, or data. */
  key: string;
  /** Names of the tables. */
  tables: string[];
  /** Returns what the file of the reach is made of. */
  task(file: string): Promise<ReachTask>;
}

/** Returns true where no patient is in reach: of a token without any, and of patients without a common one. */
export const isOfNobody = ({ patients }: Access): boolean => patients !== 'all' && patients.length === 0;

/** A table whose rows are in reach with a resource. */
type Reachable = BuiltTable & { of: NonNullable<BuiltTable['of']> };

/**
 * Finds the rights of a caller, as they are now: what a search by the same token finds.
 * @throws Fault `insufficient_scope` where it may search nothing; of an archive that does not say which studies there are
 */
export async function rightsTo(dataset: Dataset, access: Access, sources: AnalysisSources): Promise<Rights> {
  const all = dataset.tables.filter((table): table is Reachable => table.of !== undefined);
  const types = [...new Set([...all.map(({ of }) => of.type), ...joinedTypes, 'ImagingStudy'])];
  const reaches = new Map<string, TypeReach>();
  // Of nobody there are the tables, without rows: searches would be refused.
  const isEmpty = isOfNobody(access);
  const maySearch = (type: string): boolean => permitting(access.permissions, type, 's').length > 0;
  const reachOf = async (type: string) => {
    if (!isEmpty) return sources.reachOf(access, type);
    return maySearch(type) ? {} : undefined;
  };
  await Promise.all(
    types.map(async (type) => {
      const reach = await reachOf(type);
      if (reach) reaches.set(type, reach);
    }),
  );
  const studyIds = () => (isEmpty ? [] : sources.studyIds(access));
  const studies = maySearch('ImagingStudy') ? await studyIds() : undefined;
  const isInReach = ({ of }: Reachable): boolean =>
    of.type === 'ImagingStudy' ? studies !== undefined : reaches.has(of.type);
  const tables = all.filter(isInReach);
  if (tables.length === 0) throw scopesMissing(access, [{ type: 'Patient', interaction: 's' }]);
  const linked = studies && linksOf(access, reaches);
  const patients = access.patients === 'all' ? undefined : access.patients.map(({ id }) => id);
  return {
    key: keyOf([dataset.version, patients?.toSorted(), sorted(studies), linked, granularKeys(reaches)]),
    tables: [...tables.map(({ name }) => name), ...(linked ? ['study_link'] : [])],
    async task(file) {
      const narrowed = [...reaches].flatMap(([type, { granular }]) => (granular ? [{ type, granular }] : []));
      const found = narrowed.map(async ({ type, granular }) => [type, await granular.ids()] as const);
      return {
        file,
        folder: dataset.folder,
        tables: tables.map(({ name, columns, files, of }) => {
          return { name, columns: columns.map((column) => column.name), files: pathsOf(files), of };
        }),
        hidden: {
          compartment: filesOf(dataset, 'compartment'),
          link_step: filesOf(dataset, 'link_step'),
          link_end: filesOf(dataset, 'link_end'),
        },
        patients,
        studies,
        granular: Object.fromEntries(await Promise.all(found)),
        links: linked,
      };
    },
  };
}

/** Returns the types of resources that are linked with studies, and of those on the way; undefined for none. */
function linksOf(access: Access, reaches: ReadonlyMap<string, TypeReach>): LinkedTypes | undefined {
  const found = [...joinedTypes, 'ImagingStudy'].flatMap((type): LinkedType[] => {
    const reach = reaches.get(type);
    return reach ? [{ type, narrowed: reach.granular !== undefined }] : [];
  });
  const from = found.filter(({ type }) => type !== 'ImagingStudy');
  const read = [...joinedTypes, 'ImagingStudy'].flatMap((type) =>
    readableOf(access, type, reaches.get(type)),
  );
  return from.length > 0 ? { from, found, read } : undefined;
}

/** Returns a type as it may be read. What is read by other granular scopes than it is searched by is left out. */
function readableOf(access: Access, type: string, searchable: TypeReach | undefined): LinkedType[] {
  const constraintsOf = (interaction: 'r' | 's') =>
    permitting(access.permissions, type, interaction).length > 0
      ? requireScope(access, type, interaction).constraints
      : [];
  const [read, searched] = [constraintsOf('r'), constraintsOf('s')];
  if (read === undefined) return [{ type, narrowed: false }];
  const isSame = searchable?.granular !== undefined && JSON.stringify(read) === JSON.stringify(searched);
  return isSame ? [{ type, narrowed: true }] : [];
}

const sorted = (studies: ReachTask['studies']) => (studies === 'all' ? studies : studies?.toSorted());

const granularKeys = (reaches: ReadonlyMap<string, TypeReach>) =>
  [...reaches].map(([type, { granular }]) => [type, granular?.key]).toSorted();

const pathsOf = (files: BuiltTable['files']): string[] => files.map(({ path }) => path);

const filesOf = ({ tables }: Dataset, name: string): string[] =>
  pathsOf(tables.find((table) => table.name === name)?.files ?? []);

const keyOf = (rights: unknown): string => createHash('sha256').update(JSON.stringify(rights)).digest('hex');
