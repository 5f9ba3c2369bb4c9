/** Facets of all Observations, and of those of half of the patients, through the whole gateway's record. */
import type { Access } from '../../schema/access/access.ts';
import { parseScopes } from '../../schema/access/scopes.ts';
import { openBuiltRecord } from './built-record.ts';
import type { Population } from './data/synthea-copies.ts';
import { duration, median, type Figure } from './measure.ts';

const ROUNDS = 9;

/** @param directory with the folders `records`, and `new` for data */
export async function facetFigures(directory: string, { patients }: Population): Promise<Figure[]> {
  const { subgraph, tenant } = await openBuiltRecord(directory);
  const half = patients.filter((_, at) => at % 2 === 0).map((id) => ({ id }));
  const access = (reach: Access['patients']): Access => ({
    tenant: 't',
    patients: reach,
    permissions: parseScopes('system/*.rs'),
    expires: Date.now() / 1000 + 3_600,
  });
  const time = async (reach: Access['patients'], code: string, params: [string, string][] = []) => {
    const times: number[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      const record = subgraph.open(tenant, access(reach));
      times.push(await duration(() => record.facets('Observation', { params }, { code, limit: 100 })));
    }
    return median(times);
  };
  const figures: Figure[] = [];
  const add = (what: string, value: number): void => {
    figures.push({ what: `facets: ${what}`, value, unit: 'ms', atMost: 200 });
  };
  add('codes of all Observations', await time('all', 'code'));
  add('status of all Observations', await time('all', 'status'));
  add('codes of a search', await time('all', 'code', [['category', 'laboratory']]));
  add('codes by a policy of half of the patients', await time(half, 'code'));
  await subgraph.close();
  return figures;
}
