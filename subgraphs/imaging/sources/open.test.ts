/** Which tenants share an opened source. */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Agent } from 'undici';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { patient, testAccess, testSubgraph, testTenant } from '../test/subgraph.ts';

const CONFIGURED = testTenant({ type: 'dicom-web', endpoint: 'http://x/', lookup: 'studies-by-mrn' });

describe('SM-15 a dynamic tenant with the same archive as a tenant of a file', () => {
  let archive: Server;
  let requests = 0;
  /** Refuses this machine, as the connections of dynamic tenants do. */
  const guarded = new Agent({ connect: (_options, done) => done(new Error('guarded'), null) });

  beforeAll(async () => {
    archive = createServer((_request, response) => {
      requests++;
      response.writeHead(200, { 'content-type': 'application/dicom+json' }).end('[]');
    });
    await new Promise<void>((done) => archive.listen(0, '127.0.0.1', done));
  });
  afterAll(async () => {
    await guarded.close();
    await new Promise((done) => archive.close(done));
  });

  test.each([
    ['before', ['configured', 'dynamic']],
    ['after', ['dynamic', 'configured']],
  ])('gets guarded connections, also when the other opened it %s', async (_when, order) => {
    const { port } = archive.address() as AddressInfo;
    const images = CONFIGURED.images.map((one) => ({ ...one, endpoint: `http://127.0.0.1:${port}` }));
    const tenants = ['configured', 'dynamic'].map((key) => ({
      ...CONFIGURED,
      key,
      path: key,
      dynamic: key === 'dynamic',
      images,
    }));
    const served = await testSubgraph(
      tenants,
      { ana: testAccess([patient('ana', 'MRN')]) },
      { dispatcher: ({ dynamic }) => (dynamic ? guarded : undefined) },
    );
    const from = requests;
    const statuses: Record<string, number> = {};
    for (const key of order) {
      const url = `/${key}/dicomweb/studies`;
      const { statusCode } = await served.app.inject({ url, headers: { authorization: 'Bearer ana' } });
      statuses[key] = statusCode;
    }
    await served.close();
    expect(statuses).toEqual({ configured: 200, dynamic: 502 });
    expect(requests - from).toBe(1);
  });
});
