import type {
  Address,
  CodeableConcept,
  Coding,
  ContactPoint,
  HumanName,
  Identifier,
  Period,
  Quantity,
  Range,
  Reference,
  Timing,
} from 'fhir/r4.js';
import { dateRange } from '../../../schema/fhir/date-range.ts';
import { parseReference } from '../../../schema/fhir/fhir.ts';
import type { SearchParameter } from '../../../schema/fhir/tables.ts';
import type { Expression, TypedValue } from './expression.ts';
import { compileExpression } from './expression.ts';
import type { Span } from './range.ts';
import { periodSpan, quantitySpan, rangeSpan, timingSpan } from './range.ts';

/** System of `code` elements, whose binding implies it. It matches any system in a search. */
export const IMPLIED_SYSTEM = '*';

/**
 * Forms in which tokens are compared. Codes ignore case, as the standard advises when in doubt (R4 §3.1.1.4.9).
 * Identifiers are compared exactly, since two may differ only in case; the prefix `=` marks them in the same column.
 */
export const foldCode = (code: string): string => code.toLowerCase();
export const exactCode = (value: string): string => `=${value}`;

/** Index rows of a resource, by type of search parameter (R4 §3.1.1.4). */
export interface IndexRows {
  token: { system: string; code: string }[];
  string: string[];
  date: Span[];
  number: (Span & { system: string; code: string; unit: string })[];
  reference: string[];
  uri: string[];
}

const noRows = (): IndexRows => ({
  token: [],
  string: [],
  date: [],
  number: [],
  reference: [],
  uri: [],
});

/** A search parameter ready to be evaluated. */
export interface Indexer {
  parameter: SearchParameter;
  rows(resource: object): IndexRows;
}

/** Compiles a search parameter; undefined for types that the store does not index (`composite`, `special`). */
export function compileIndexer(parameter: SearchParameter, resourceType: string): Indexer | undefined {
  const add = ADDERS[parameter.type];
  if (!add || parameter.expression === '') return undefined;
  const values: Expression = compileExpression(parameter.expression, resourceType);
  return {
    parameter,
    rows(resource) {
      const rows = noRows();
      for (const value of values(resource)) add(rows, value, parameter);
      return rows;
    },
  };
}

type Adder = (rows: IndexRows, value: TypedValue, parameter: SearchParameter) => void;

const ADDERS: Partial<Record<SearchParameter['type'], Adder>> = {
  token: addToken,
  string: addString,
  date: addDate,
  number: addNumber,
  quantity: addNumber,
  reference: addReference,
  uri: (rows, { value }) => {
    if (typeof value === 'string') rows.uri.push(value);
  },
};

function addToken(rows: IndexRows, { value, type }: TypedValue): void {
  const add = (system: string | undefined, code: unknown): void => {
    if (code !== undefined && code !== null) {
      rows.token.push({ system: system ?? '', code: foldCode(String(code)) });
    }
  };
  const addText = (text: string | undefined): void => {
    if (text) rows.string.push(text);
  };
  switch (type) {
    case 'CodeableConcept': {
      const { coding, text } = value as CodeableConcept;
      for (const item of coding ?? []) addToken(rows, { value: item, type: 'Coding' });
      return addText(text);
    }
    case 'Coding': {
      const { system, code, display } = value as Coding;
      add(system, code);
      return addText(display);
    }
    case 'Identifier': {
      const { system, value: text, type: kind } = value as Identifier;
      if (text) rows.token.push({ system: system ?? '', code: exactCode(text) });
      return addText(kind?.text);
    }
    case 'ContactPoint':
      return add(undefined, (value as ContactPoint).value);
    case 'Reference':
      // For the modifier `:identifier` (R4 §3.1.1.4.10).
      return (
        (value as Reference).identifier &&
        addToken(rows, {
          value: (value as Reference).identifier,
          type: 'Identifier',
        })
      );
    case 'code':
    case 'boolean':
      return add(IMPLIED_SYSTEM, value);
    default:
      if (typeof value !== 'object') add(undefined, value);
  }
}

function addString(rows: IndexRows, { value, type }: TypedValue): void {
  const parts =
    type === 'HumanName'
      ? humanName(value as HumanName)
      : type === 'Address'
        ? address(value as Address)
        : type === 'CodeableConcept'
          ? [(value as CodeableConcept).text]
          : [value];
  for (const part of parts) if (typeof part === 'string' && part !== '') rows.string.push(part);
}

const humanName = ({ text, family, given, prefix, suffix }: HumanName): unknown[] => [
  ...[text, family],
  ...(given ?? []),
  ...(prefix ?? []),
  ...(suffix ?? []),
];

const address = (at: Address): unknown[] => [
  ...[at.text, at.city, at.district, at.state, at.postalCode, at.country],
  ...(at.line ?? []),
];

function addDate(rows: IndexRows, { value, type }: TypedValue): void {
  const span =
    typeof value === 'string'
      ? dateRange(value)
      : type === 'Period'
        ? periodSpan(value as Period)
        : type === 'Timing'
          ? timingSpan(value as Timing)
          : undefined;
  if (span) rows.date.push(span);
}

function addNumber(rows: IndexRows, { value, type }: TypedValue): void {
  if (typeof value === 'number') {
    rows.number.push({ low: value, high: value, system: '', code: '', unit: '' });
  } else if (type === 'Range') {
    const { low, high } = value as Range;
    addSpan(rows, rangeSpan(value as Range), low ?? high ?? {});
  } else if (type !== 'SampledData' && typeof value === 'object' && value !== null) {
    addSpan(rows, quantitySpan(value as Quantity), value as Quantity);
  }
}

function addSpan(rows: IndexRows, span: Span | undefined, { system, code, unit }: Quantity): void {
  if (span) rows.number.push({ ...span, system: system ?? '', code: code ?? '', unit: unit ?? '' });
}

function addReference(rows: IndexRows, value: TypedValue, { targets }: SearchParameter): void {
  // Values of parameters such as `instantiates-canonical` are canonical URLs.
  if (typeof value.value === 'string') return void rows.reference.push(value.value.split('|')[0]!);
  const reference = value.value as Reference;
  const target = parseReference(reference.reference);
  const type = target?.type ?? reference.type;
  if (type !== undefined && targets && targets.length > 0 && !targets.includes(type)) return;
  // An absolute reference is to another server: its Patient/1 is another patient.
  if (reference.reference && /^(https?|urn):/.test(reference.reference)) {
    rows.reference.push(reference.reference);
  } else if (target) {
    rows.reference.push(`${target.type}/${target.id}`);
  }
  addToken(rows, { value: reference, type: 'Reference' });
}

/** Returns the form in which strings are compared: without accents, case and double spaces (R4 §3.1.1.4.8). */
export function foldString(text: string): string {
  return text
    .normalize('NFD')
    .replace(/\p{M}+/gu, '')
    .toLowerCase()
    .replace(/\s+/g, ' ')
    .trim();
}
