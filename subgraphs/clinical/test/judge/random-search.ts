/** Random searches whose values come from the resources, so that most of them find something. */
import type { Reference, Resource, SearchParameter } from 'fhir/r4.js';
import type { Element } from './elements.ts';
import { definitionsOf, elementsOf, evaluate, partsOf } from './elements.ts';
import type { NaiveSearch } from './naive-search.ts';
import { amountsIn, daysIn } from './ordered.ts';
import type { Random } from '../../../../gateway/test/setup/random.ts';
import { labelsIn, textsIn } from './values.ts';

/* The judge reads JSON of any type. */
/* eslint-disable @typescript-eslint/no-explicit-any */

export type Parameter = readonly [name: string, value: string];

export interface RandomSearch {
  type: string;
  params: Parameter[];
  /** A `_filter`, and what it means. */
  filter?: { text: string; holds(resource: Resource): boolean };
  sort?: string;
}

const RARE = ['composite', 'number', 'quantity'];
const PREFIXES = ['', '', '', 'eq', 'ne', 'gt', 'lt', 'ge', 'le', 'sa', 'eb', 'ap'];
const escaped = (text: string): string => text.replace(/[\\,|$]/g, '\\$&');

export class RandomSearches {
  readonly #random: Random;
  readonly #data: NaiveSearch;
  readonly #types: readonly string[];
  /** Types with numbers, quantities or composites. */
  readonly #measured: readonly string[];
  /** Most values come from this resource, so that it meets all parameters. */
  #anchor: Resource | undefined;

  constructor(random: Random, data: NaiveSearch) {
    this.#random = random;
    this.#data = data;
    this.#types = [...data.resources.keys()].toSorted();
    this.#measured = this.#types.filter((type) =>
      [...definitionsOf(type).values()].some(({ type: kind }) => RARE.includes(kind)),
    );
  }

  search(): RandomSearch {
    const random = this.#random;
    const type = random.chance(0.35) ? random.of(this.#measured) : random.of(this.#types);
    this.#anchor = random.of(this.#data.resources.get(type)!);
    const count = random.of([1, 1, 2, 2, 3]);
    const made = Array.from({ length: count * 3 }, () => this.#parameter(type, 2));
    const params = made.filter((parameter) => parameter !== undefined).slice(0, count);
    const filter = random.chance(0.1) ? this.#filter(type) : undefined;
    const sort = random.chance(0.2) ? random.of(['', '-']) + this.#sortKey(type) : undefined;
    return { type, params, ...(filter && { filter }), ...(sort && { sort }) };
  }

  #sortKey(type: string): string {
    const ordered = [...definitionsOf(type).values()].filter(
      ({ code, type: kind }) => code === '_id' || ['date', 'string', 'number', 'quantity'].includes(kind),
    );
    return this.#random.of(ordered).code;
  }

  /** Joins comparisons of plain parameters; undefined when none of a few is plain. */
  #filter(type: string): RandomSearch['filter'] {
    const random = this.#random;
    const made = Array.from({ length: 8 }, () => this.#parameter(type, 0));
    const terms = made.flatMap((parameter) => (parameter ? (this.#comparison(type, parameter) ?? []) : []));
    const [first, second, third] = terms;
    if (!first || !second) return undefined;
    const matches = (resource: Resource, { means }: typeof first) => this.#data.matches(resource, ...means);
    if (!third || random.chance(0.3)) {
      return {
        text: `${first.text} or not (${second.text})`,
        holds: (resource) => matches(resource, first) || !matches(resource, second),
      };
    }
    return {
      text: `(${first.text} or ${second.text}) and ${third.text}`,
      holds: (resource) =>
        (matches(resource, first) || matches(resource, second)) && matches(resource, third),
    };
  }

  #comparison(type: string, [name, value]: Parameter): { text: string; means: Parameter } | undefined {
    const kind = definitionsOf(type).get(name)?.type;
    if (/[,\\]/.test(value) || kind === undefined || kind === 'composite') return undefined;
    const quoted = JSON.stringify(value);
    if (kind === 'string') return { text: `${name} sw ${quoted}`, means: [name, value] };
    const [, prefix = 'eq', rest = ''] = /^(eq|ne|gt|ge|lt|le|sa|eb|ap)?(.*)$/.exec(value)!;
    const isOrdered = ['date', 'number', 'quantity'].includes(kind);
    const text = isOrdered ? `${name} ${prefix} ${JSON.stringify(rest)}` : `${name} eq ${quoted}`;
    return { text, means: [name, value] };
  }

  /** @param hops number of references that it may still follow */
  #parameter(type: string, hops: number): Parameter | undefined {
    const random = this.#random;
    if (hops > 0 && random.chance(0.12)) return this.#has(type, hops);
    if (random.chance(0.02)) return ['_list', `made-${1 + random.below(5)}`];
    const all = [...definitionsOf(type)];
    const rare = random.chance(0.3) ? all.filter(([, { type: kind }]) => RARE.includes(kind)) : [];
    const [code, definition] = random.of(rare.length > 0 ? rare : all);
    if (definition.type === 'special' || !definition.expression) return undefined;
    const resources = this.#data.resources.get(type) ?? [];
    const valued = this.#valued(resources, code);
    if (definition.type === 'composite') return this.#composite(code, definition, resources);
    if (random.chance(0.08)) return [`${code}:missing`, String(random.chance(0.5))];
    if (!valued) return undefined;
    const element = random.of(elementsOf(valued, code));
    if (definition.type === 'reference' && hops > 0 && random.chance(0.4)) {
      return this.#chain(code, element, hops);
    }
    const one = this.#value(definition, element);
    if (!one) return undefined;
    const [modifier, value] = one;
    const again = random.chance(0.25) ? this.#valued(resources, code) : undefined;
    const other = again && this.#value(definition, random.of(elementsOf(again, code)), modifier);
    return [code + modifier, other && other[0] === modifier ? `${value},${other[1]}` : value];
  }

  /** Returns a resource that has a value of the parameter; a few are tried. */
  #valued(resources: readonly Resource[], code: string): Resource | undefined {
    for (let attempt = 0; attempt < 4; attempt++) {
      const isAnchor = attempt === 0 && this.#random.chance(0.7) && resources.includes(this.#anchor!);
      const resource = isAnchor ? this.#anchor! : this.#random.of(resources);
      if (elementsOf(resource, code).length > 0) return resource;
    }
    return undefined;
  }

  #chain(code: string, { value }: Element, hops: number): Parameter | undefined {
    const target = typeof value === 'object' ? this.#data.target(value as Reference) : undefined;
    const inner = target && this.#parameter(target.resourceType, hops - 1);
    if (!inner) return undefined;
    const isPatient = ['subject', 'patient'].includes(code) && target.resourceType === 'Patient';
    const type = isPatient && this.#random.chance(0.5) ? '' : `:${target.resourceType}`;
    return [`${code}${type}.${inner[0]}`, inner[1]];
  }

  #has(type: string, hops: number): Parameter | undefined {
    const random = this.#random;
    const source = random.of(this.#types);
    const references = [...definitionsOf(source).values()].filter(
      (definition) => definition.type === 'reference' && definition.target?.includes(type as never),
    );
    if (references.length === 0) return undefined;
    const { code } = random.of(references);
    // Most values come from a resource that refers to one of this type.
    const before = this.#anchor;
    const refers = (resource: Resource): boolean =>
      elementsOf(resource, code).some(
        ({ value }) => this.#data.target(value as Reference)?.resourceType === type,
      );
    this.#anchor = (this.#data.resources.get(source) ?? []).slice(0, 100).find(refers) ?? before;
    const inner = this.#parameter(source, hops - 1);
    this.#anchor = before;
    return inner && [`_has:${source}:${code}:${inner[0]}`, inner[1]];
  }

  #composite(
    code: string,
    definition: SearchParameter,
    resources: readonly Resource[],
  ): Parameter | undefined {
    const isAnchor = this.#random.chance(0.7) && resources.includes(this.#anchor!);
    const resource = isAnchor ? this.#anchor! : this.#random.of(resources);
    const count = evaluate(definition.expression!, resource).length;
    if (count === 0) return undefined;
    const index = this.#random.below(count);
    const parts = partsOf(definition).map(({ definition: part, expression }) => {
      const [element] = evaluate(`(${definition.expression})[${index}].select(${expression})`, resource);
      return element && this.#value(part, element, '');
    });
    const texts = parts.map((part) => part?.[1]);
    if (texts.some((text) => text === undefined)) return undefined;
    return [code, texts.join('$')];
  }

  /**
   * Returns a modifier (`:exact`, or none) and a value that is near to an element.
   * @param only the modifier to use
   */
  #value({ type }: SearchParameter, element: Element, only?: string): Parameter | undefined {
    const choose = (modifiers: string[]): string => only ?? this.#random.of(modifiers);
    switch (type) {
      case 'token':
        return this.#token(element, choose(['', '', '', '', ':not', ':text', ':of-type']));
      case 'string':
        return this.#string(element, choose(['', '', ':exact', ':contains']));
      case 'uri':
        return this.#uri(element, choose(['', '', ':below', ':above']));
      case 'reference':
        return this.#reference(element, only);
      case 'date':
        return daysIn(element).length > 0 ? this.#date(element, choose([''])) : undefined;
      default:
        return this.#quantity(element, choose(['']));
    }
  }

  #token(element: Element, modifier: string): Parameter | undefined {
    const random = this.#random;
    const item = element.value as any;
    if (modifier === ':text') {
      const texts = labelsIn(element);
      return texts.length > 0 ? [modifier, this.#begin(random.of(texts))] : undefined;
    }
    if (modifier === ':of-type') {
      const coding = item.type?.coding?.[0];
      if (!coding?.system || !coding.code || item.value === undefined) return undefined;
      return [modifier, [coding.system, coding.code, item.value].map(escaped).join('|')];
    }
    const from = element.type === 'CodeableConcept' ? random.of(item.coding ?? [{}]) : item;
    const code = typeof from === 'object' ? (from.code ?? from.value) : from;
    if (code === undefined || code === '') return undefined;
    const text = escaped(random.chance(0.2) ? String(code).toUpperCase() : String(code));
    const hasSystem =
      typeof from === 'object' && ['CodeableConcept', 'Coding', 'Identifier'].includes(element.type);
    if (!hasSystem || random.chance(0.4)) return [modifier, text];
    if (!from.system) return [modifier, `|${text}`];
    return [modifier, `${escaped(from.system)}|${random.chance(0.25) ? '' : text}`];
  }

  #string(element: Element, modifier: string): Parameter | undefined {
    const texts = textsIn(element).filter((text) => text !== '');
    if (texts.length === 0) return undefined;
    const text = this.#random.of(texts);
    if (modifier === ':exact') return [modifier, escaped(text)];
    if (modifier !== ':contains') return [modifier, this.#begin(text)];
    const part = text.slice(this.#random.below(text.length)).trim();
    return part === '' ? undefined : [modifier, this.#begin(part)];
  }

  /** Returns the begin of a text, in any case. */
  #begin(text: string): string {
    const begin = text.slice(0, 1 + this.#random.below(text.length)).trimEnd() || text;
    return escaped(this.#random.chance(0.3) ? begin.toUpperCase() : begin);
  }

  #uri({ value }: Element, modifier: string): Parameter | undefined {
    const random = this.#random;
    if (typeof value !== 'string') return undefined;
    if (modifier === ':below')
      return [modifier, escaped(random.chance(0.5) ? value.replace(/\/[^/]*$/, '') : value)];
    if (modifier === ':above') return [modifier, escaped(random.chance(0.5) ? `${value}/z` : value)];
    return [modifier, escaped(random.chance(0.5) ? value.replace(/\|.*$/, '') : value)];
  }

  #reference({ value }: Element, only?: string): Parameter | undefined {
    const random = this.#random;
    if (typeof value === 'string') {
      return only ? undefined : ['', escaped(random.chance(0.5) ? value.replace(/\|.*$/, '') : value)];
    }
    const { reference = '', identifier } = value as Reference;
    if (identifier?.value && (only === ':identifier' || random.chance(0.5))) {
      return this.#token({ type: 'Identifier', value: identifier }, ':identifier');
    }
    const [type = '', id = ''] = reference.split('/');
    if (reference === '' || reference.startsWith('#') || only === ':identifier') return undefined;
    const isRelative = /^[A-Z]\w+\/[^/]+/.test(reference);
    if (only === undefined && isRelative && random.chance(0.2)) return [`:${type}`, id];
    if (only) return isRelative && only === `:${type}` ? [only, id] : undefined;
    return [
      '',
      random.of([reference, reference.replace(/\/_history\/.*$/, ''), isRelative ? id : reference]),
    ];
  }

  #date({ value }: Element, modifier: string): Parameter | undefined {
    const item = value as any;
    const text: string =
      typeof item === 'string' ? item : (item.start ?? item.end ?? item.event?.[0] ?? '2020-03');
    const shorter = text.slice(0, this.#random.of([4, 7, 10, 99]));
    return [modifier, this.#random.of(PREFIXES) + shorter];
  }

  #quantity(element: Element, modifier: string): Parameter | undefined {
    const random = this.#random;
    const amount = amountsIn(element)[0];
    const item = element.value as any;
    const number = typeof item === 'number' ? item : (item.value ?? item.low?.value ?? item.high?.value);
    if (!amount || typeof number !== 'number') return undefined;
    const text = random.of([String(number), String(number), number.toFixed(1), number.toExponential(1)]);
    const { system = '', code = '', unit = '' } = amount;
    const units = ['', '', `||${unit}`, `||${code}`, system && `|${system}|`, code && `|${system}|${code}`];
    return [modifier, random.of(PREFIXES) + text + random.of(units)];
  }
}
