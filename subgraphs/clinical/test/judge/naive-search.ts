/** A filter that looks at every resource, without index and without code of the product: it says what a search finds. */
import type { Reference, Resource, SearchParameter } from 'fhir/r4.js';
import type { Element } from './elements.ts';
import { definitionsOf, elementsOf, evaluate, partsOf } from './elements.ts';
import { date, quantity } from './ordered.ts';
import * as values from './values.ts';

export class NaiveSearch {
  readonly resources: ReadonlyMap<string, readonly Resource[]>;
  readonly #byTarget = new Map<string, Resource>();
  readonly #now: number;

  /** @param now milliseconds since the epoch, for `ap` */
  constructor(resources: readonly Resource[], now: number) {
    this.#now = now;
    // Of two with the same id, the last one is stored.
    for (const resource of resources) this.#byTarget.set(`${resource.resourceType}/${resource.id}`, resource);
    const byType = new Map<string, Resource[]>();
    for (const resource of this.#byTarget.values()) {
      byType.set(resource.resourceType, [...(byType.get(resource.resourceType) ?? []), resource]);
    }
    this.resources = byType;
  }

  find(type: string, params: readonly (readonly [string, string])[]): Resource[] {
    return (this.resources.get(type) ?? []).filter((resource) =>
      params.every(([name, value]) => this.matches(resource, name, value)),
    );
  }

  /** Returns the resource that a reference leads to. */
  target({ reference }: Reference): Resource | undefined {
    return this.#byTarget.get((reference ?? '').replace(/\/_history\/.*$/, ''));
  }

  matches(resource: Resource, name: string, value: string): boolean {
    if (name === '_list') return this.#has(resource, '_has:List:item:_id', value);
    if (name.startsWith('_has:')) return this.#has(resource, name, value);
    const dot = name.indexOf('.');
    if (dot >= 0) return this.#chained(resource, name.slice(0, dot), name.slice(dot + 1), value);
    const [code = '', modifier] = name.split(':');
    const definition = definitionsOf(resource.resourceType).get(code)!;
    if (definition.type === 'composite') return this.#composite(resource, definition, value);
    const found = elementsOf(resource, code);
    if (modifier === 'missing') return (found.length === 0) === (value === 'true');
    const compare = this.#comparison(definition, modifier);
    const any = values.split(value, ',').some((one) => found.some((element) => compare(element, one)));
    return modifier === 'not' ? !any : any;
  }

  #comparison(
    { code, type, target = [] }: SearchParameter,
    modifier?: string,
  ): (e: Element, text: string) => boolean {
    switch (type) {
      case 'token':
        if (code === '_id') return values.id;
        return modifier === 'text' ? values.label : modifier === 'of-type' ? values.ofType : values.token;
      case 'string':
        return modifier === 'exact'
          ? values.exact
          : modifier === 'contains'
            ? values.contains
            : values.string;
      case 'uri':
        return modifier === 'below' ? values.below : modifier === 'above' ? values.above : values.uri;
      case 'reference':
        if (modifier === 'identifier') return values.identifier;
        return values.reference(modifier ? [modifier] : target);
      case 'date':
        return date(this.#now);
      default:
        return quantity;
    }
  }

  #composite(resource: Resource, definition: SearchParameter, value: string): boolean {
    const { expression = '' } = definition;
    const [first, second] = partsOf(definition);
    return evaluate(expression, resource).some((_, index) => {
      const part = (of: typeof first) =>
        evaluate(`(${expression})[${index}].select(${of!.expression})`, resource);
      return values.split(value, ',').some((one) => {
        const [head = '', tail = ''] = values.split(one, '$');
        const meets = (of: typeof first, text: string) =>
          part(of).some((element) => this.#comparison(of!.definition)(element, text));
        return meets(first, head) && meets(second, tail);
      });
    });
  }

  #chained(resource: Resource, head: string, name: string, value: string): boolean {
    const [code = '', type] = head.split(':');
    const only = type ?? (['subject', 'patient'].includes(code) ? 'Patient' : undefined);
    return elementsOf(resource, code).some(({ value: reference }) => {
      const target = typeof reference === 'object' ? this.target(reference as Reference) : undefined;
      if (!target || (only && target.resourceType !== only)) return false;
      return this.#knows(target.resourceType, name) && this.matches(target, name, value);
    });
  }

  #knows(type: string, name: string): boolean {
    return name.startsWith('_has:') || definitionsOf(type).has(/^[\w-]+/.exec(name)?.[0] ?? '');
  }

  #has(resource: Resource, text: string, value: string): boolean {
    const [, type = '', code = '', name = ''] = /^_has:(\w+):([\w-]+):(.+)$/.exec(text)!;
    return (this.resources.get(type) ?? []).some(
      (source) =>
        elementsOf(source, code).some(
          ({ value: reference }) =>
            typeof reference === 'object' && this.target(reference as Reference) === resource,
        ) && this.matches(source, name, value),
    );
  }
}
