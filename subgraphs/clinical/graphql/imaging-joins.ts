import type { Resource } from 'fhir/r4.js';
import { joinedTypes, type JoinedType } from '../../../schema/fhir/joined-types.ts';
import type { StudyKeys } from '../../../schema/fhir/study-links.ts';
import { ofStudy } from '../joins/of-study.ts';
import { linksOf } from '../joins/study-links.ts';
import { resolver, type Fields } from './resolver.ts';
import { searchOf } from './search-arguments.ts';

const LINKS = ['_patientId', '_accessionNumbers', '_studyUids'] as const;

/** Returns the resolvers that join the record with studies, for the clinical subgraph (FG-9). */
export function imagingJoins(): Record<string, Fields> {
  const links = Object.fromEntries(LINKS.map((name) => [name, linkResolver(name)]));
  return {
    ...Object.fromEntries(joinedTypes.map((type) => [type, links])),
    ImagingStudy: Object.fromEntries(joinedTypes.map((type) => [`${type}List`, listOf(type)])),
  };
}

function linkResolver(name: (typeof LINKS)[number]) {
  return resolver(async (resource: Resource, _, clinical) => (await linksOf(clinical, resource))[name]);
}

function listOf(type: JoinedType) {
  return resolver(async (study: StudyKeys, args, clinical) => {
    const { count, offset = 0, ...search } = searchOf(type, args);
    const found = await ofStudy(clinical, study, { type, search });
    return found.slice(offset, count === undefined ? undefined : offset + count);
  });
}
