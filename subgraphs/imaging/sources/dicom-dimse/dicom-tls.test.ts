/** DICOM over TLS (PS3.15 Annex B) with Orthanc and DCMTK, which both ask for a certificate of the other side. */
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect as connectPlain, type Socket } from 'node:net';
import { connect, type ConnectionOptions, type TLSSocket } from 'node:tls';
import { promisify } from 'node:util';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import {
  createAuthority,
  replace,
  type Authority,
  type Certificate,
} from '../../../../gateway/test/setup/certificates.ts';
import { startChild } from '../../../../gateway/test/setup/child.ts';
import { freePort, isOpen } from '../../../../gateway/test/setup/free-port.ts';
import { smallObjects } from '../../../../gateway/test/setup/small-objects.ts';
import { Tag, text } from '../../../../schema/dicom/dicom.ts';
import type { TlsConfig } from '../../../../schema/outbound/tls.ts';
import { openDimseOrthanc, OUR_AE, TLS_ADDRESS, type DimseOrthanc } from '../../test/dimse.ts';
import type { ImagingSource } from '../source.ts';
import { Senders } from './wire/senders.ts';

const STUDY = '1.2.48';
let authority: Authority;
let stranger: Authority;
let ours: Certificate;
let archive: DimseOrthanc;
let served: Certificate;

beforeAll(async () => {
  [authority, stranger] = [createAuthority(), createAuthority()];
  [ours, served] = [authority.issue('gateway'), authority.issue('scp', `IP:${TLS_ADDRESS}`)];
  const { certificate, key } = authority.issue('archive');
  archive = await openDimseOrthanc(smallObjects({ studyUid: STUDY, patientId: 'OWN', instances: 3 }), {
    tls: { ca: authority.ca, ...served },
    configuration: {
      DicomTlsEnabled: true,
      DicomTlsCertificate: certificate,
      DicomTlsPrivateKey: key,
      DicomTlsTrustedCertificates: authority.ca,
      DicomTlsRemoteCertificateRequired: true,
    },
  });
}, 30_000);
afterAll(async () => {
  await archive?.stop();
  for (const all of [authority, stranger]) all?.remove();
});
afterEach(() => void archive.node.cache.clear());

const sourceWith = (tls: TlsConfig | undefined, more: object = {}): ImagingSource =>
  archive.source({ endpoint: archive.endpoint, tls, ...more });
const trusted = (): TlsConfig => ({ ca: authority.ca, ...ours });

async function retrieved(source: ImagingSource): Promise<number> {
  let count = 0;
  for await (const { stream } of source.retrieve({ studyUid: STUDY }, '*')) {
    await stream.toArray();
    count++;
  }
  return count;
}

test.each(['c-get', 'c-move'] as const)('DW-16 C-ECHO, C-FIND and %s over TLS', async (retrieval) => {
  const source = sourceWith(trusted(), { retrieval });
  await source.check!();
  const rows = await source.search({ level: 'study', match: new Map(), includeField: [] });
  expect(rows.map((row) => text(row, Tag.StudyInstanceUID))).toEqual([STUDY]);
  expect(await retrieved(source)).toBe(3);
  expect(archive.refused).toEqual([]);
});

test.each<[string, () => TlsConfig | undefined, RegExp]>([
  ['of an authority that is not named', () => ({ ca: stranger.ca, ...ours }), /^(UNABLE|SELF_SIGNED)/],
  ['of the system’s authorities, which did not sign it', () => ({ ...ours }), /^(UNABLE|SELF_SIGNED)/],
])('an archive needs a certificate %s', async (_name, tls, code) => {
  await expect(sourceWith(tls()).check!()).rejects.toMatchObject({
    code: 'unavailable',
    cause: { code: expect.stringMatching(code) },
  });
});

test.each<[string, () => TlsConfig | undefined]>([
  ['without a certificate of ours', () => ({ ca: authority.ca })],
  ['with a certificate of another authority', () => ({ ca: authority.ca, ...stranger.issue('intruder') })],
  ['without TLS', () => undefined],
])('the archive refuses us %s, and that is not an answer', async (_name, tls) => {
  await expect(sourceWith(tls()).check!()).rejects.toMatchObject({ code: 'unavailable' });
});

test('an archive with a certificate of another name is not used', async () => {
  const port = await freePort();
  const { certificate, key } = authority.issue('elsewhere', 'DNS:pacs.example.org');
  const args = ['+tls', key, certificate, '+cf', authority.ca, String(port)];
  const child = await startChild('/usr/bin/storescp', args, () => isOpen(port));
  try {
    const tls = trusted();
    const check = (host: string) => archive.source({ endpoint: `dimse://${host}:${port}`, tls }).check!();
    await expect(check('127.0.0.1')).rejects.toMatchObject({
      cause: { code: 'ERR_TLS_CERT_ALTNAME_INVALID' },
    });
  } finally {
    await child.end('SIGKILL');
  }
});

describe('DW-26 the C-STORE SCP with TLS', () => {
  const sockets: Socket[] = [];
  afterEach(() => {
    for (const socket of sockets.splice(0)) socket.destroy();
    archive.refused.length = 0;
  });

  /**
   * Connects while a C-MOVE is expected, and returns what became of the connection.
   * @param open it by now, unless it was closed before
   */
  async function connected(options: ConnectionOptions, open?: Promise<unknown>): Promise<TLSSocket | string> {
    const forget = await archive.node.scp.expect({
      ae: OUR_AE,
      messageId: 1,
      senders: new Senders([{ address: '127.0.0.1' }]),
      retrieval: undefined as never,
      alive: () => undefined,
    });
    const socket = connect({
      host: archive.host,
      port: archive.port,
      ca: readFileSync(authority.ca),
      ...options,
    });
    sockets.push(socket);
    const ended = once(socket, 'close').then(() => 'closed');
    try {
      await once(socket, 'secureConnect');
      // With TLS 1.3 the client is ready before the server has looked at its certificate.
      const data = once(socket, 'data').then(() => 'data');
      return await Promise.race([ended, data, ...(open ? [open.then(() => socket)] : [])]);
    } catch (error) {
      return (error as NodeJS.ErrnoException).code!;
    } finally {
      socket.on('error', () => undefined);
      forget();
    }
  }
  const pause = () => new Promise((done) => setTimeout(done, 300));
  const pem = ({ certificate, key }: Certificate) => ({
    cert: readFileSync(certificate),
    key: readFileSync(key),
  });

  test.each<[string, () => ConnectionOptions]>([
    ['no certificate', () => ({})],
    ['a certificate of another authority', () => pem(stranger.issue('intruder'))],
  ])('refuses a peer with %s, and logs it', async (_name, options) => {
    expect(await connected(options())).toMatch(/closed|ERR_SSL|ECONNRESET/);
    expect(archive.refused).toEqual(['TLS']);
  });

  test('answers nothing to a peer without TLS, or from an address that is not expected', async () => {
    const plain = connectPlain(archive.port, archive.host);
    sockets.push(plain);
    await once(plain, 'close');
    expect(archive.refused).toEqual(['address']);
  });

  test('DCMTK verifies it, as an archive does', async () => {
    const { certificate, key } = authority.issue('dcmtk');
    const forget = await archive.node.scp.expect({
      ae: OUR_AE,
      messageId: 1,
      senders: new Senders([{ address: '127.0.0.1' }]),
      retrieval: undefined as never,
      alive: () => undefined,
    });
    const args = [
      '+tls',
      key,
      certificate,
      '+cf',
      authority.ca,
      '-aec',
      OUR_AE,
      archive.host,
      `${archive.port}`,
    ];
    await promisify(execFile)('/usr/bin/echoscu', args);
    forget();
    expect(archive.refused).toEqual([]);
  });

  test('has a renewed certificate for new connections', async () => {
    const nameOf = async () =>
      ((await connected(pem(ours), pause())) as TLSSocket).getPeerCertificate().subject.CN;
    expect(await nameOf()).toBe('scp');
    replace(served, authority.issue('renewed', `IP:${TLS_ADDRESS}`));
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 1_100 });
    try {
      expect(await nameOf()).toBe('renewed');
    } finally {
      vi.useRealTimers();
    }
  });
});
