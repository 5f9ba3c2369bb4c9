import type { Resource } from 'fhir/r4.js';
import { Fault } from '../../../schema/fault/fault.ts';
import type { Clinical } from './clinical.ts';
import type { Section } from './patient-data.ts';

/** Pages over several searches, one after the other. */

/** Searches that run at the same time. */
const AT_ONCE = 6;

/** A place in a list of sections: in one of them, at its start or after a cursor of the source. */
export interface SectionPlace {
  key: string;
  cursor?: string;
}

/** Some resources, and the place after them; undefined at the end. */
export interface Part {
  resources: Resource[];
  next?: SectionPlace;
  /** One for each type that the source refused. */
  failed: Fault[];
}

/**
 * Searches section by section from a place on, until there are `count` resources or no more sections.
 * @param page `from` is a place in these sections; undefined: nothing is left
 * @throws Fault when the source does not answer
 */
export async function pageOfSections(
  clinical: Clinical,
  sections: readonly Section[],
  { from, count }: { from: SectionPlace | undefined; count: number },
): Promise<Part> {
  const resources: Resource[] = [];
  const failed: Fault[] = [];
  const first = from ? sections.findIndex(({ key }) => key === from.key) : sections.length;
  for (let start = first; start < sections.length; start += AT_ONCE) {
    const together = sections.slice(start, start + AT_ONCE);
    const wanted = count - resources.length;
    if (wanted <= 0) return { resources, failed, next: { key: together[0]!.key } };
    const pages = await Promise.all(
      together.map((section, index) => {
        const cursor = start + index === first ? from?.cursor : undefined;
        return searched(clinical, section, { count: wanted, cursor });
      }),
    );
    for (const [index, section] of together.entries()) {
      const left = count - resources.length;
      if (left === 0) return { resources, failed, next: { key: section.key } };
      let found = pages[index]!;
      // Only the source can say where the rest begins.
      if (found.resources.length > left) found = await searched(clinical, section, { count: left });
      resources.push(...found.resources);
      failed.push(...found.failed);
      if (found.next) return { resources, failed, next: found.next };
    }
  }
  return { resources, failed };
}

/** Faults after which one type is named as missing and the others still count: the source does not have the type. */
const TYPE_REFUSED: readonly string[] = [
  'forbidden',
  'not_found',
  'invalid_request',
  'unsupported_parameter',
  'not_implemented',
  'bad_gateway',
];

async function searched(
  clinical: Clinical,
  { key, type, params }: Section,
  { count, cursor }: { count: number; cursor?: string | undefined },
): Promise<Part> {
  try {
    const { resources, next } = await clinical.search(type, { params, count, strict: true, cursor });
    return { resources, next: next === undefined ? undefined : { key, cursor: next }, failed: [] };
  } catch (error) {
    if (cursor !== undefined || !(error instanceof Fault) || !TYPE_REFUSED.includes(error.code)) throw error;
    const message = `Not all ${type} resources are in this answer: ${error.message}`;
    return { resources: [], failed: [new Fault(error.code, message, error.details)] };
  }
}
