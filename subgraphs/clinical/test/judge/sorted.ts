/** The order of an answer (R4 §3.1.1.5.1): by the least value upwards, by the greatest downwards, without a value last. */
import type { Resource } from 'fhir/r4.js';
import { definitionsOf, elementsOf } from './elements.ts';
import { amountsIn, daysIn } from './ordered.ts';
import { folded, textsIn } from './values.ts';

type Key = string | number;

/** @param sort one key, such as `-date` */
export function isSorted(resources: readonly Resource[], sort: string): boolean {
  const isDown = sort.startsWith('-');
  const code = sort.replace(/^-/, '');
  const keys = resources.map((resource) => {
    const sorted = keysOf(resource, code).toSorted(compare);
    return isDown ? sorted.at(-1) : sorted[0];
  });
  return keys.every((key, index) => {
    const next = keys[index + 1];
    if (next === undefined) return true;
    return key !== undefined && (isDown ? compare(key, next) >= 0 : compare(key, next) <= 0);
  });
}

function compare(a: Key, b: Key): number {
  if (typeof a === 'number' && typeof b === 'number') return a < b ? -1 : a > b ? 1 : 0;
  return Buffer.compare(Buffer.from(String(a)), Buffer.from(String(b)));
}

function keysOf(resource: Resource, code: string): Key[] {
  const elements = elementsOf(resource, code);
  if (code === '_id') return [resource.id ?? ''];
  switch (definitionsOf(resource.resourceType).get(code)!.type) {
    case 'date':
      return elements.flatMap(daysIn).map(({ first }) => first);
    case 'string':
      return elements.flatMap(textsIn).map(folded);
    default:
      return elements
        .flatMap(amountsIn)
        .map(({ low }) => (low ? Number(low.at.digits) / 10 ** low.at.places : -Infinity));
  }
}
