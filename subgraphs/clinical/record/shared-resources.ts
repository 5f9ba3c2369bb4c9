import type { Resource } from 'fhir/r4.js';
import { Fault } from '../../../schema/fault/fault.ts';
import { parseReference } from '../../../schema/fhir/fhir.ts';
import type { Clinical } from './clinical.ts';
import { readAll } from './includes.ts';

/** Largest number of shared resources that the data of one request may refer to. */
const MOST_SHARED = 50_000;

/** Returns all literal references in a resource, contained resources included, in any order and without duplicates. */
export function referencesIn(resource: Resource): Set<string> {
  const found = new Set<string>();
  const left: unknown[] = [resource];
  while (left.length > 0) {
    const value = left.pop();
    if (typeof value !== 'object' || value === null) continue;
    for (const [name, child] of Object.entries(value)) {
      if (name === 'reference' && typeof child === 'string') found.add(child);
      else if (typeof child === 'object') left.push(child);
    }
  }
  return found;
}

/** Gathers the references of many resources to resources of shared types, and reads each of these once. */
export class SharedResources {
  readonly #types: ReadonlySet<string>;
  /** `Practitioner/1` → whether it was read. */
  readonly #wanted = new Map<string, boolean>();

  /** @param types the shared types that are wanted, in the caller's scopes */
  constructor(types: ReadonlySet<string>) {
    this.#types = types;
  }

  /**
   * Notes what a resource refers to.
   * @throws Fault `too_large` beyond `MOST_SHARED`
   */
  async note(clinical: Clinical, resource: Resource): Promise<void> {
    if (this.#types.size === 0) return;
    for (const reference of referencesIn(resource)) {
      // Most references are to other types: only the source's base has to be asked for.
      if (!this.#types.has(parseReference(reference)?.type ?? '')) continue;
      const target = await clinical.target(reference);
      if (target && this.#types.has(target.type)) this.#add(`${target.type}/${target.id}`);
    }
  }

  /** Returns true for a type that is wanted. */
  has(type: string): boolean {
    return this.#types.has(type);
  }

  /** Returns true when one of these is of a wanted type, and is not noted. */
  mayMiss(targets: readonly ReturnType<typeof parseReference>[]): boolean {
    return targets.some(
      (one) => one && this.#types.has(one.type) && !this.#wanted.has(`${one.type}/${one.id}`),
    );
  }

  /** Notes that a resource is given already. */
  given({ resourceType, id }: Resource): void {
    if (this.#types.has(resourceType)) this.#wanted.set(`${resourceType}/${id}`, true);
  }

  /**
   * Reads what was noted and not yet read, then what that refers to, in parts. Resources that are missing, or not shown
   * to the caller, are left out.
   * @param size of a part
   * @param open returns the record of the caller for one part
   */
  async *read(size: number, open: () => Clinical): AsyncGenerator<Resource[]> {
    for (let part = this.#unread(size); part.length > 0; part = this.#unread(size)) {
      const clinical = open();
      const found = await readAll(clinical, part);
      for (const resource of found) await this.note(clinical, resource);
      yield found;
    }
  }

  #add(reference: string): void {
    if (this.#wanted.has(reference)) return;
    if (this.#wanted.size >= MOST_SHARED) {
      throw new Fault(
        'too_large',
        `The data refer to more than ${MOST_SHARED} practitioners, organizations and others: ask for less with _type.`,
      );
    }
    this.#wanted.set(reference, false);
  }

  #unread(size: number): string[] {
    const part: string[] = [];
    for (const [reference, isRead] of this.#wanted) {
      if (isRead) continue;
      part.push(reference);
      this.#wanted.set(reference, true);
      if (part.length === size) break;
    }
    return part;
  }
}
