/** Pages of the Observations of half of all patients, as a policy gives them, without the HTTP server. */
import { join } from 'node:path';
import type { Access } from '../../schema/access/access.ts';
import { parseScopes } from '../../schema/access/scopes.ts';
import { openBuiltRecord } from './built-record.ts';
import type { Figure } from './measure.ts';
import type { Population } from './data/synthea-copies.ts';

const root = join(import.meta.dirname, '../..');
const PAGE = 1_000;
/** Pages of this commit and of the old one, which takes seconds for each. */
const PAGES = { new: 60, old: 5 };

/** @param directory with the folders `records`, and `new` and `old` for data */
export async function policyRate(
  directory: string,
  population: Population,
  old: string | undefined,
): Promise<Figure[]> {
  const rate = await rowsPerSecond(root, directory, 'new', population);
  const figures: Figure[] = [
    {
      what: 'store: Observations by a policy of half of the patients',
      value: rate,
      unit: '/s',
      atLeast: 5_000,
    },
  ];
  if (old) {
    const value = await rowsPerSecond(old, directory, 'old', population);
    figures.push({ what: '… old commit', value, unit: '/s' });
  }
  return figures;
}

async function rowsPerSecond(
  checkout: string,
  directory: string,
  name: 'new' | 'old',
  { patients }: Population,
): Promise<number> {
  const { subgraph, tenant } = await openBuiltRecord(directory, { checkout, name });
  const access: Access = {
    tenant: 't',
    patients: patients.filter((_, at) => at % 2 === 0).map((id) => ({ id })),
    permissions: parseScopes('patient/*.rs'),
    expires: Date.now() / 1000 + 3_600,
  };
  let [rows, cursor]: [number, string | undefined] = [0, undefined];
  const begun = performance.now();
  for (let page = 0; page < PAGES[name]; page++) {
    const search = { params: [], count: PAGE, ...(cursor !== undefined && { cursor }) };
    const found = await subgraph.open(tenant, access).search('Observation', search);
    rows += found.resources.length;
    cursor = found.next;
    if (cursor === undefined) break;
  }
  const seconds = (performance.now() - begun) / 1000;
  await subgraph.close();
  return rows / seconds;
}
