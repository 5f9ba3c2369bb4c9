import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { getGlobalDispatcher, request } from 'undici';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { plant, taken } from './retrieval-checker.ts';
import { smallObjects } from './small-objects.ts';

/** Tests the checker itself, on answers of a server that sends other objects than the requested ones. */

const OWN = { studyUid: '1.9.1', patientId: 'A' };
let server: Server;
let objects: readonly Buffer[] = [];
let rows: object[] = [];

beforeAll(async () => {
  server = createServer((request, response) => {
    if (request.url!.includes('?')) {
      response.writeHead(200, { 'Content-Type': 'application/dicom+json' });
      return void response.end(JSON.stringify(rows));
    }
    response.writeHead(200, { 'content-type': 'multipart/related; type="application/dicom"; boundary=b' });
    for (const object of objects) {
      response.write('--b\r\nContent-Type: application/dicom\r\n\r\n');
      response.write(object);
      response.write('\r\n');
    }
    response.end('--b--');
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
});
afterAll(() => new Promise((done) => server.close(done)));

async function given(path: string): Promise<{ findings: string[]; objects: number }> {
  const { port } = server.address() as AddressInfo;
  const answer = await fetch(`http://127.0.0.1:${port}/tenant/dicomweb${path}`);
  await answer.arrayBuffer();
  return taken();
}

test('requested objects are read and reported as correct', async () => {
  objects = smallObjects({ ...OWN, instances: 3 });
  expect(await given('/studies/1.9.1')).toEqual({ findings: [], objects: 3 });
});

test.each<[what: string, path: string, given: () => Buffer[]]>([
  ['of another study', '/studies/1.9.1', () => smallObjects({ ...OWN, studyUid: '1.9.2' })],
  [
    'of another patient among others',
    '/studies/1.9.1',
    () => [...smallObjects(OWN), ...smallObjects({ ...OWN, patientId: 'B' })],
  ],
  ['of another series', '/studies/1.9.1/series/1.9.1.7', () => smallObjects(OWN)],
  ['of another UID', '/studies/1.9.1/series/1.9.1.1/instances/1.9.1.1.7', () => smallObjects(OWN)],
])('reports an object %s', async (_what, path, make) => {
  objects = make();
  const { findings } = await given(path);
  expect(findings).toEqual([expect.stringContaining(path)]);
});

test('reports an object of another patient than the row of its study names', async () => {
  rows = [{ '0020000D': { vr: 'UI', Value: ['1.9.3'] }, '00100020': { vr: 'LO', Value: ['A'] } }];
  await given('/studies?PatientID=A');
  objects = smallObjects({ studyUid: '1.9.3', patientId: 'B' });
  expect((await given('/studies/1.9.3')).findings).toHaveLength(1);
});

test('ignores objects that a test plants', async () => {
  plant('1.9.4');
  objects = smallObjects({ ...OWN, studyUid: '1.9.5' });
  expect((await given('/studies/1.9.4')).findings).toEqual([]);
});

test('reads the answers of another process where they are received', async () => {
  const script = `
    const object = Buffer.from(process.argv[1], 'base64');
    const server = require('node:http').createServer((request, response) => {
      response.writeHead(200, { 'Content-Type': 'application/dicom' });
      response.end(object);
    });
    server.listen(0, '127.0.0.1', () => console.log(server.address().port));`;
  const object = smallObjects({ ...OWN, studyUid: '1.9.6' })[0]!.toString('base64');
  const child = spawn(process.execPath, ['-e', script, object], { stdio: ['ignore', 'pipe', 'inherit'] });
  try {
    const [port] = (await once(child.stdout, 'data')) as [Buffer];
    const ask = async (study: string) => {
      const path = `/tenant/dicomweb/studies/${study}/series/${study}.1/instances/${study}.1.1`;
      const { body } = await request(`http://127.0.0.1:${Number(String(port))}${path}`);
      await body.dump();
      return taken();
    };
    // By its name: Node has a copy of undici of its own, whose Agent may be the global one.
    expect(getGlobalDispatcher().constructor.name).toBe('Agent');
    expect(await ask('1.9.6')).toEqual({ findings: [], objects: 1 });
    expect((await ask('1.9.1')).findings).toEqual([expect.stringContaining('/studies/1.9.1')]);
  } finally {
    child.kill();
  }
});
