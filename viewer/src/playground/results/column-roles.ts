/** The part that columns have in a chart, by their names and values: axis, measure, or neither. */
import type { Column, ResultTable } from './lists.ts';

const ID = /(^|[._])(id|uid|identifier|accession|reference|\w*url)$|Url$/i;
const PATIENT = /(^|[._])(patient|subject)/i;
/** Names of periods as people give them (`year`, `startedYear`), and as DuckDB names their functions. */
const PERIOD =
  /(^|[._ (])(year|yr|quarter|month|week|weekday|dow|day|hour|decade|age_group)$|[a-z](Year|Quarter|Month|Week|Decade)$|^"?(year|quarter|month|week|dayofweek|day|hour|decade)"?\(|date_part\('/i;
const AGE = /(^|[._ ])age$/i;
const BIRTH = /birth/i;
const UNIT = /(^|[._])(unit|(valueQuantity|value)\.code)$/i;
/** Names of codes that qualify a row, and do not say what it is of. */
const QUALIFIER = /interpretation|flag|status|categor/i;
/** Names of what a row is of, the best axis first: names are read, codes are not. */
const SUBJECTS = [
  /(^|[._])modality/i,
  /(^|[._])(display|text|diagnosis|finding)$/i,
  /(^|[._])code$/i,
  /(^|[._])(gender|sex)$/i,
];
/** Texts that are read in a row, and seldom the same in two. */
const FREE = /(^|[._])(description|conclusion|title|message|name|family|given|note|comment|value_text)$/i;
const COUNT =
  /(^|[._ ])(count|sum)(_star)?(\(.*\))?$|(^|[._ ])(n|total|rows|studies|series|instances|images|patients)$|(^|[._ ])(count|number|num|n|sum)_\w+$|numberOf[A-Z]\w*$/i;
const VALUE = /(^|[._])(value|last|mean|avg|average|median)(\(.*\))?$/i;
const RANGE = /(^|[._])(low|high|lower|upper)([._]|$)/i;
/** Numbers that name something, or are a part of the description of a resource. */
const NAMING = /(^|[._])(code|\w*number|numberOf[A-Z]\w*)$/i;

/** Returns true for columns that name a resource or a place. */
export const isIdentifier = ({ name }: Column): boolean => ID.test(name);

/** Returns true for numbers or texts that are a part of time: an axis, and no measure. */
export const isPeriod = ({ name, type }: Column): boolean =>
  (type === 'number' || type === 'text') && PERIOD.test(name);

/** Returns true for values that have an order and are an axis where another column is measured. */
export const isOrdinal = (column: Column): boolean =>
  isPeriod(column) || (column.type === 'number' && AGE.test(column.name));

export const isBirth = ({ name }: Column): boolean => BIRTH.test(name);
export const isCount = ({ name }: Column): boolean => COUNT.test(name);

/** Returns how good an axis a text is, the best first; undefined for one that names nothing that rows share. */
export function categoryRank({ name, type }: Column): number | undefined {
  if (type !== 'text' && type !== 'yes/no') return undefined;
  if (ID.test(name) || UNIT.test(name)) return undefined;
  const rank = QUALIFIER.test(name) ? -1 : SUBJECTS.findIndex((subject) => subject.test(name));
  if (rank >= 0) return rank;
  return FREE.test(name) ? undefined : SUBJECTS.length;
}

/** Rank of numbers that are a measure only where there is no other. */
export const WEAK = 5;

/** Returns how good a measure a number is, the best first. */
export function measureRank({ name }: Column): number {
  if (AGE.test(name)) return WEAK - 1;
  if (NAMING.test(name)) return WEAK;
  if (RANGE.test(name)) return 3;
  return VALUE.test(name) ? 0 : COUNT.test(name) ? 2 : 1;
}

/** Returns the number of different values of a column. */
export function differentIn({ rows }: ResultTable, at: number): number {
  return new Set(rows.map((cells) => cells[at])).size;
}

/** Returns true if each row is a resource of its own, such as a study, rather than a group of them. */
export function isOfResources(table: ResultTable): boolean {
  const { columns, rows } = table;
  return columns.some(
    (column, at) =>
      isIdentifier(column) &&
      differentIn(table, at) === rows.length &&
      rows.every((cells) => cells[at] !== null),
  );
}

/** Returns true if a number of one row cannot be compared with that of another: it has another unit, or is of another code. */
export function isMixed(table: ResultTable): boolean {
  const columns = [...table.columns.entries()];
  const units = columns.filter(([, { name }]) => UNIT.test(name));
  const codes = columns.filter(([, column]) => [1, 2].includes(categoryRank(column) ?? -1));
  return (units.length > 0 ? units : codes).some(([at]) => differentIn(table, at) > 1);
}

/** Values that are taken for those of one patient where no column names a patient. */
const MOST_OF_ONE = 200;

/** Returns true if values over time are of one patient and of one kind: a line through them says how it changes. */
export function isOneSeries(table: ResultTable): boolean {
  const { columns, rows } = table;
  const isOfPatient = (column: Column) =>
    PATIENT.test(column.name) && (isIdentifier(column) || /patient$/i.test(column.name));
  const tells = (column: Column) =>
    isOfPatient(column) || (categoryRank(column) ?? SUBJECTS.length) < SUBJECTS.length;
  if (columns.some((column, at) => tells(column) && differentIn(table, at) > 1)) return false;
  return rows.length <= MOST_OF_ONE || columns.some(isOfPatient);
}
