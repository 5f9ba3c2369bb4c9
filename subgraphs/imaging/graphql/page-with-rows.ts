import type { GraphQLResolveInfo } from 'graphql';
import { mayBeDeferred, selects } from '../../../schema/graphql/selects.ts';
import { orElse, type Awaitable } from '../../../schema/process/awaitable.ts';
import type { Found, FoundStudy } from '../fhir/find.ts';
import { withInstances } from '../fhir/page-instances.ts';
import { FIELDS_OF_INSTANCES, type Facts } from './dicom-facts.ts';

/**
 * Returns the page of studies, with the rows of their instances where the selection needs these at once: what is then
 * written of the studies depends on nothing but their rows. Without an answer of the source it returns the page as it is, and
 * each field that needs instances fails by itself.
 * @param path from the field to the studies
 */
export function pageWithRows(
  results: Found,
  { imaging, loaders }: Facts,
  { info, path }: { info: GraphQLResolveInfo; path: readonly string[] },
): Awaitable<readonly FoundStudy[]> {
  const { page } = results;
  const levels = [...path.map((name) => [name]), ['series'], FIELDS_OF_INSTANCES];
  if (page.length === 0 || !selects(info, levels, mayBeDeferred)) return page;
  return orElse(
    () => withInstances(imaging, results, 'rows'),
    (error) => {
      for (const found of page) loaders.instances.prime(found, error as Error);
      return page;
    },
  );
}
