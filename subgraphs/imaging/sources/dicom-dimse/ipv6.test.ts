import { once } from 'node:events';
import { connect, createServer, type AddressInfo } from 'node:net';
import { networkInterfaces } from 'node:os';
import { expect, test } from 'vitest';
import { smallObjects } from '../../../../gateway/test/setup/small-objects.ts';
import { Tag, text } from '../../../../schema/dicom/dicom.ts';
import { openDimseOrthanc, type DimseConfig } from '../../test/dimse.ts';
import { testTenant } from '../../test/subgraph.ts';

const hasLoopback = Object.values(networkInterfaces()).some((addresses) =>
  addresses?.some(({ address }) => address === '::1'),
);

test.runIf(hasLoopback)('DW-16 reads an archive at an IPv6 address', async () => {
  const studyUid = '1.2.46';
  const archive = await openDimseOrthanc(smallObjects({ studyUid, patientId: 'OWN', instances: 2 }));
  // Orthanc listens only on IPv4.
  const server = createServer((near) => {
    const far = connect(archive.orthanc.dicomPort, '127.0.0.1');
    near.pipe(far).pipe(near);
    for (const socket of [near, far]) socket.on('error', () => undefined);
  });
  try {
    await once(server.listen(0, '::1'), 'listening');
    const endpoint = `dimse://[::1]:${(server.address() as AddressInfo).port}`;
    const { images } = testTenant({
      type: 'dicom-dimse',
      lookup: 'all-studies-on-server',
      endpoint,
      calledAe: 'ORTHANC',
    });
    const source = archive.source(images[0] as DimseConfig);
    await source.check!();
    const rows = await source.search({ level: 'study', match: new Map(), includeField: [] });
    expect(rows.map((row) => text(row, Tag.StudyInstanceUID))).toEqual([studyUid]);
    const found: string[] = [];
    for await (const { sopInstanceUid, stream } of source.retrieve({ studyUid }, '*')) {
      await stream.toArray();
      found.push(sopInstanceUid!);
    }
    expect(found.sort()).toEqual([`${studyUid}.1.1`, `${studyUid}.1.2`]);
  } finally {
    server.close();
    await archive.stop();
  }
});
