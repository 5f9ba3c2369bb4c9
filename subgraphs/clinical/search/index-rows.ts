import type {
  Address,
  CodeableConcept,
  Coding,
  ContactPoint,
  DomainResource,
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
import { searchParameter, type SearchParameter } from '../../../schema/fhir/tables.ts';
import { foldedText } from '../../../schema/fhir/folded-text.ts';
import type { Expression, TypedValue } from './expression.ts';
import { compileExpression, compileItemExpression } from './expression.ts';
import { periodSpan, quantitySpan, rangeSpan, timingSpan, type Span } from './range.ts';

/** System of `code` elements, whose binding implies it. It matches any system in a search. */
export const IMPLIED_SYSTEM = '*';

/**
 * Forms in which tokens are compared. Codes ignore case, as the standard advises when in doubt (R4 §3.1.1.4.9).
 * Identifiers are compared exactly, since two may differ only in case; the prefix `=` marks them in the same column.
 */
export const foldCode = (code: string): string => code.toLowerCase();
export const exactCode = (value: string): string => `=${value}`;

/** A type of identifiers in one text. */
export const identifierKind = (system: string, code: string): string => `${system}|${foldCode(code)}`;

/** Index rows of a resource, by type of search parameter (R4 §3.1.1.4). */
export interface IndexRows {
  token: TokenRow[];
  /** Identifiers with each of their types, for `:of-type`. */
  identifier: { kind: string; value: string }[];
  string: string[];
  date: Span[];
  number: (Span & { system: string; code: string; unit: string })[];
  reference: string[];
  uri: string[];
  composite: CompositeRow[];
  /** True for values that have none of the rows that `:missing` looks for: a concept that is only a text, for example. */
  presence: boolean;
}

export interface TokenRow {
  system: string;
  code: string;
}

/** The parts of one item of a composite, side by side: a token, and a value of any type. */
export interface CompositeRow {
  head: TokenRow;
  tail: Partial<TokenRow & Span & { unit: string; text: string; target: string }>;
}

const noRows = (): IndexRows => ({
  token: [],
  identifier: [],
  string: [],
  date: [],
  number: [],
  reference: [],
  uri: [],
  composite: [],
  presence: false,
});

/** A search parameter ready to be evaluated. */
export interface Indexer {
  parameter: SearchParameter;
  rows(resource: object): IndexRows;
}

/** The rows that show that a resource has a value of a parameter. */
export const MAIN_ROWS = {
  token: 'token',
  string: 'string',
  date: 'date',
  number: 'number',
  quantity: 'number',
  reference: 'reference',
  uri: 'uri',
  composite: 'composite',
} as const;

/** Compiles a search parameter; undefined for a type that the store does not index (`special`). */
export function compileIndexer(parameter: SearchParameter, resourceType: string): Indexer | undefined {
  if (parameter.type === 'special' || parameter.expression === '') return undefined;
  const main = MAIN_ROWS[parameter.type];
  const values: Expression = compileExpression(parameter.expression, resourceType);
  const add =
    parameter.type === 'composite' ? compositeAdder(parameter, resourceType) : ADDERS[parameter.type]!;
  const counts = parameter.type === 'reference' ? isOfTargets : () => true;
  return {
    parameter,
    rows(resource) {
      const rows = noRows();
      const found = values(resource).filter((value) => counts(value, parameter, resource));
      for (const value of found) add(rows, value, parameter);
      rows.presence = found.length > 0 && rows[main].length === 0;
      return rows;
    },
  };
}

type Adder = (rows: IndexRows, value: TypedValue, parameter: SearchParameter) => void;

/** All composites of R4 begin with a token. */
function compositeAdder({ components = [] }: SearchParameter, resourceType: string): Adder {
  const parts = components.map(({ code, expression }) => {
    const parameter = searchParameter(resourceType, code)!;
    const values = compileItemExpression(expression);
    return (item: TypedValue): IndexRows => {
      const rows = noRows();
      for (const value of values(item)) ADDERS[parameter.type]?.(rows, value, parameter);
      return rows;
    };
  });
  return (rows, item) => {
    const [heads, tails] = parts.map((part) => part(item));
    for (const head of heads?.token ?? []) {
      for (const tail of tailsOf(tails!)) rows.composite.push({ head, tail });
    }
  };
}

const tailsOf = ({ token, string, date, number, reference }: IndexRows): CompositeRow['tail'][] => [
  // The texts of a concept are for `:text`, which a composite does not have.
  ...(token.length > 0 ? token : string.map((text) => ({ text }))),
  ...date,
  ...number,
  ...reference.map((target) => ({ target })),
];

const ADDERS: Partial<Record<SearchParameter['type'], Adder>> = {
  token: addToken,
  string: addString,
  date: addDate,
  number: addNumber,
  quantity: addNumber,
  reference: addReference,
  uri: (rows, { value, type }) => {
    if (typeof value === 'string') rows.uri.push(...(type === 'canonical' ? versions(value, '|') : [value]));
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
      if (!text) return addText(kind?.text);
      rows.token.push({ system: system ?? '', code: exactCode(text) });
      for (const { system: of, code } of kind?.coding ?? []) {
        if (of && code) rows.identifier.push({ kind: identifierKind(of, code), value: text });
      }
      return addText(kind?.text);
    }
    case 'ContactPoint':
      return add(undefined, (value as ContactPoint).value);
    case 'Reference':
      // For the modifier `:identifier` (R4 §3.1.1.4.10).
      return (
        (value as Reference).identifier &&
        addToken(rows, { value: (value as Reference).identifier, type: 'Identifier' })
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
  text,
  family,
  ...(given ?? []),
  ...(prefix ?? []),
  ...(suffix ?? []),
];

const address = (at: Address): unknown[] => [
  at.text,
  at.city,
  at.district,
  at.state,
  at.postalCode,
  at.country,
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

function addReference(rows: IndexRows, value: TypedValue): void {
  // Values of parameters such as `instantiates-canonical` are canonical URLs.
  if (typeof value.value === 'string') return void rows.reference.push(...versions(value.value, '|'));
  const { reference = '' } = value.value as Reference;
  const target = parseReference(reference);
  // An absolute reference is to another server: its Patient/1 is another patient.
  const literal = /^(https?|urn):/.test(reference)
    ? reference
    : target && reference.slice(reference.lastIndexOf(`${target.type}/${target.id}`));
  if (literal) rows.reference.push(...versions(literal, '/_history/'));
  addToken(rows, { value: value.value, type: 'Reference' });
}

/** Returns a reference or canonical URL as it is, and without its version (R4 §3.1.1.4.12). */
function versions(text: string, separator: string): string[] {
  const at = text.lastIndexOf(separator);
  return at < 0 ? [text] : [text, text.slice(0, at)];
}

/** Returns false for a reference to a type that the parameter does not have; a type that is unknown may be one of them. */
function isOfTargets({ value }: TypedValue, { targets }: SearchParameter, resource: object): boolean {
  if (typeof value !== 'object' || value === null || !targets || targets.length === 0) return true;
  const { reference, type } = value as Reference;
  const contained = reference?.startsWith('#')
    ? (resource as DomainResource).contained?.find(({ id }) => `#${id}` === reference)
    : undefined;
  const known = parseReference(reference)?.type ?? contained?.resourceType ?? type;
  return known === undefined || targets.includes(known);
}

/** Returns the form in which strings are compared: without accents, case and double spaces (R4 §3.1.1.4.8). */
export function foldString(text: string): string {
  return foldedText(text).replace(/\s+/g, ' ').trim();
}
