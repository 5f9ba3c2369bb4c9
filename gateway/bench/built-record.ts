/** The record of the benchmarks in this process, by the built product, without the HTTP server. */
import { join } from 'node:path';
import { parseTenant } from '../../schema/tenant/tenant.ts';
import type { clinicalSubgraph } from '../../subgraphs/clinical/app.ts';

const root = join(import.meta.dirname, '../..');

/**
 * Opens the store of a directory, and loads it.
 * @param directory with the folder `records`, and a folder for data
 * @param of the build, and the name of that folder
 */
export async function openBuiltRecord(directory: string, { checkout = root, name = 'new' } = {}) {
  const app = join(checkout, 'dist/subgraphs/clinical/app.js');
  const subgraphOf = ((await import(app)) as { clinicalSubgraph: typeof clinicalSubgraph }).clinicalSubgraph;
  const subgraph = subgraphOf({ dataDir: join(directory, name), baseUrl: 'http://localhost' });
  const images = { type: 'folder', path: '.', lookup: 'all-studies-on-server' };
  const clinical = { type: 'store', path: join(directory, 'records') };
  const { tenant } = parseTenant(
    { authorization: { type: 'mock' }, clinical, images },
    { key: 't', path: 't', dynamic: false, directory: '/', environment: {} },
  );
  await subgraph.prepare(tenant);
  return { subgraph, tenant };
}
