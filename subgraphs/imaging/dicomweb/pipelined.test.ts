import { once } from 'node:events';
import { connect, type AddressInfo } from 'node:net';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { patient, testAccess, testSubgraph, testTenant, type TestSubgraph } from '../test/subgraph.ts';
import { startUpstream, type Upstream } from '../test/upstream.ts';

/** A client that sends a second request before it reads its answer (RFC 9112 §9.3.2), and leaves. */

const STUDY = '1.2.3';
const ROWS = [{ '0020000D': { vr: 'UI', Value: [STUDY] }, '00100020': { vr: 'LO', Value: ['MRN'] } }];
const CHUNK = Buffer.alloc(1_000_000, 7);

let archive: Upstream;
let served: TestSubgraph;
let open = 0;

beforeAll(async () => {
  archive = await startUpstream((request, response) => {
    if (request.url!.startsWith('/studies?')) {
      response.writeHead(200, { 'content-type': 'application/dicom+json' }).end(JSON.stringify(ROWS));
      return;
    }
    open++;
    response.once('close', () => open--);
    response.writeHead(200, { 'content-type': 'multipart/related; type="application/dicom"; boundary=b' });
    response.write('--b\r\nContent-Type: application/dicom\r\n\r\n');
    const more = () => void (!response.destroyed && response.write(CHUNK, more));
    more();
  });
  const images = { type: 'dicom-web', endpoint: archive.url, lookup: 'studies-by-mrn' };
  served = await testSubgraph([testTenant(images)], { own: testAccess([patient('own', 'MRN')]) });
  await served.app.listen({ port: 0, host: '127.0.0.1' });
});
afterAll(async () => {
  await served.close();
  await archive.close();
});

test('no connection to the archive stays open', async () => {
  const { port } = served.app.server.address() as AddressInfo;
  const socket = connect(port, '127.0.0.1');
  await once(socket, 'connect');
  const one = `GET /test/dicomweb/studies/${STUDY} HTTP/1.1\r\nHost: here\r\nAuthorization: Bearer own\r\n\r\n`;
  socket.write(one + one);
  await vi.waitFor(() => expect(open).toBeGreaterThan(0), 10_000);
  await new Promise((resolve) => setTimeout(resolve, 300));
  socket.destroy();
  await vi.waitFor(() => expect(open).toBe(0), 10_000);
});
