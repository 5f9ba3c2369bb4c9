import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { smallObjects } from '../../../../../gateway/test/setup/small-objects.ts';
import { openDimseOrthanc, openDimseSide, OUR_AE, type DimseOrthanc } from '../../../test/dimse.ts';
import { plant, type PlantedObject } from '../../../test/planted-object.ts';
import type { ImagingSource } from '../../source.ts';
import type { Retrieval } from '../shared-retrieval.ts';
import { Connection } from './connection.ts';
import { Senders } from './senders.ts';
import { NOT_AUTHORIZED, SUCCESS } from '../spool.ts';
import { timeAwake } from '../../../../../gateway/test/setup/processor-time.ts';

const [FIRST, SECOND] = ['1.2.10', '1.2.20'];
const objects = [FIRST, SECOND].flatMap((studyUid) =>
  smallObjects({ studyUid, patientId: 'OWN', instances: 3 }),
);

async function retrieved(source: ImagingSource, studyUid: string): Promise<number> {
  let count = 0;
  for await (const { stream } of source.retrieve({ studyUid }, '*')) {
    await stream.toArray();
    count++;
  }
  return count;
}

let archive: DimseOrthanc;
let source: ImagingSource;
const peers: Socket[] = [];

beforeAll(async () => {
  archive = await openDimseOrthanc(objects);
  source = archive.source({ endpoint: archive.endpoint, retrieval: 'c-move' });
}, 30_000);
afterAll(() => archive?.stop());
afterEach(() => {
  for (const peer of peers.splice(0)) peer.destroy();
});

/** Opens connections that send nothing. */
async function silent(count: number): Promise<Socket[]> {
  const sockets = Array.from({ length: count }, () => connect(archive.port, '127.0.0.1'));
  peers.push(...sockets);
  for (const socket of sockets) socket.on('error', () => undefined);
  await Promise.all(sockets.map((socket) => once(socket, 'connect')));
  return sockets;
}

describe('connections that send nothing to the C-STORE SCP', () => {
  it('do not prevent C-MOVEs when there are 64 of them, before or during a move', async () => {
    expect(await retrieved(source, FIRST)).toBe(3);
    await silent(64);
    archive.node.cache.clear();
    expect(await retrieved(source, FIRST)).toBe(3);

    await archive.orthanc.freeze();
    const waiting = retrieved(source, SECOND);
    await silent(64);
    archive.orthanc.thaw();
    expect(await waiting).toBe(3);
  });

  it('are closed while there is no C-MOVE', async () => {
    expect(await retrieved(source, FIRST)).toBe(3);
    const sockets = await silent(8);
    const closed = () => Promise.all(sockets.map((socket) => once(socket.resume(), 'close')));
    expect(await timeAwake(closed)).toBeLessThan(5000);
  });
});

describe('closes an accepted connection in time after', () => {
  const times = { associationTimeout: 200, silence: 60_000, pduTimeout: 200 };

  /** Waits until the connection is closed. */
  async function endOf(bytes: Buffer): Promise<void> {
    const server = createServer((socket) => {
      new Connection(socket, { ...times, accept: () => undefined });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
    peers.push(socket);
    socket.resume().write(bytes);
    await once(socket, 'close');
    server.close();
  }

  it.each([
    ['no A-ASSOCIATE-RQ', Buffer.alloc(0)],
    ['half of an A-ASSOCIATE-RQ', Buffer.from('0100000000d10001', 'hex')],
    ['less than the head of a PDU', Buffer.from('0100', 'hex')],
  ])('%s', (_what, bytes) => endOf(bytes));
});

describe('DW-26 objects that others send during a C-MOVE', () => {
  const run = promisify(execFile);
  const MESSAGE = 4711;
  const ofArchive = { calling: 'ORTHANC', originator: OUR_AE, messageId: MESSAGE };
  /** Makes an object of the study. The archive has numbers 1 to 3. */
  const objectOf = (number: number, patientId = 'OWN', description?: string): Buffer =>
    smallObjects({
      studyUid: FIRST,
      patientId,
      instances: number,
      ...(description !== undefined && { description }),
    })[number - 1]!;

  /**
   * Retrieves the study from an archive that sends nothing before `meanwhile` has ended.
   * @returns SOP Instance UIDs, or the code of the fault
   */
  async function retrievedWhile(meanwhile: () => Promise<void>): Promise<string[] | string> {
    archive.node.cache.clear();
    archive.refused.length = 0;
    const asked = vi.spyOn(archive.node, 'nextMessageId').mockReturnValue(MESSAGE);
    const expecting = vi.spyOn(archive.node.scp, 'expect').mockImplementationOnce(async (expected) => {
      const forget = await archive.node.scp.expect(expected);
      await meanwhile();
      return forget;
    });
    const found: string[] = [];
    try {
      for await (const { stream, sopInstanceUid } of source.retrieve({ studyUid: FIRST }, '*')) {
        await stream.toArray();
        found.push(sopInstanceUid!);
      }
      return found.sort();
    } catch (error) {
      return (error as { code: string }).code;
    } finally {
      asked.mockRestore();
      expecting.mockRestore();
    }
  }

  const whole = [1, 2, 3].map((number) => `${FIRST}.1.${number}`);
  type Row = [
    what: string,
    object: Partial<PlantedObject> & { file: Buffer },
    number: number,
    reason: string,
  ];

  it.each<Row>([
    [
      'from an unknown AE title',
      { file: objectOf(4), calling: 'STRANGER' },
      4,
      'calling AE title or address',
    ],
    ['without a move originator', { file: objectOf(4), calling: 'ORTHANC' }, 4, 'move originator'],
    ['of another C-MOVE', { ...ofArchive, file: objectOf(1), originator: 'OTHER' }, 1, 'move originator'],
    ['of another message', { ...ofArchive, file: objectOf(1), messageId: 1 }, 1, 'move originator'],
    ['that the study does not have', { ...ofArchive, file: objectOf(4) }, 4, 'unplanned object'],
    ['of another patient', { ...ofArchive, file: objectOf(2, 'OTHER') }, 2, 'object of another patient'],
  ])('refuses an object %s, and gives the study of the archive', async (_what, object, number, reason) => {
    let status: number | undefined;
    const given = await retrievedWhile(async () => {
      const planted = { calling: 'ORTHANC', ...object, sopInstanceUid: `${FIRST}.1.${number}` };
      status = await plant(archive.port, planted).catch(() => undefined);
    });
    expect(given).toEqual(whole);
    expect(status).toBe(reason.startsWith('calling') ? undefined : NOT_AUTHORIZED);
    expect(archive.refused).toEqual([reason]);
    expect(JSON.stringify(archive.logged)).not.toMatch(/OTHER|OWN/);

    // The cache has the same, also for the next process.
    const next = await openDimseSide(1e9, archive.directory);
    const again = next.source({ endpoint: archive.endpoint, retrieval: 'c-move' });
    expect(await retrieved(again, FIRST)).toBe(3);
    await next.stop();
  });

  it('refuses objects for this C-MOVE from an archive of which other objects are expected', async () => {
    const sopInstanceUid = `${FIRST}.1.1`;
    const refused: (number | undefined)[] = [];
    const given = await retrievedWhile(async () => {
      const senders = new Senders([{ ae: 'ELSEWHERE', address: '127.0.0.1' }]);
      const alive = () => undefined;
      const other = { ae: OUR_AE, messageId: 1, senders, retrieval: {} as Retrieval, alive };
      const forget = await archive.node.scp.expect(other);
      const planted = { ...ofArchive, calling: 'ELSEWHERE', file: objectOf(1), sopInstanceUid };
      refused.push(await plant(archive.port, planted).catch(() => undefined));
      forget();
    });
    expect(given).toEqual(whole);
    expect(refused).toEqual([NOT_AUTHORIZED]);
    expect(archive.refused).toEqual(['move originator']);
  });

  it('accepts the same object twice, and fails for other bytes with its UID', async () => {
    const sopInstanceUid = `${FIRST}.1.1`;
    const statuses: number[] = [];
    const sending = (file: Buffer) => async () => {
      statuses.push(await plant(archive.port, { ...ofArchive, file, sopInstanceUid }));
    };
    expect(await retrievedWhile(sending(objectOf(1)))).toEqual(whole);
    expect(await retrievedWhile(sending(objectOf(1, 'OWN', 'replaced')))).toBe('bad_gateway');
    expect(archive.refused).toEqual(['two objects under one UID']);
    expect(statuses).toEqual([SUCCESS, SUCCESS]);
    expect(await retrieved(source, FIRST)).toBe(3);
  });

  it('refuses objects of DCMTK’s storescu with any title, and without a move', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'planted-'));
    const file = join(directory, '4.dcm');
    await writeFile(file, objectOf(4));
    const send = async (...titles: string[]) => {
      const { stdout, stderr } = await run('storescu', [
        '-v',
        ...titles,
        '127.0.0.1',
        String(archive.port),
        file,
      ]).catch((error: { stdout: string; stderr: string }) => error);
      return stdout + stderr;
    };
    const said: string[] = [];
    const given = await retrievedWhile(async () => {
      said.push(await send('-aet', 'ORTHANC', '-aec', 'SOMEBODY'));
      said.push(await send('-aet', 'STRANGER', '-aec', OUR_AE));
      said.push(await send('-aet', 'ORTHANC', '-aec', OUR_AE));
    });
    said.push(await send('-aet', 'ORTHANC', '-aec', OUR_AE));
    expect(given).toEqual(whole);
    expect(said[0]).toMatch(/Called AE Title Not Recognized/);
    expect(said[1]).toMatch(/Calling AE Title Not Recognized/);
    expect(said[2]).toMatch(/Received Store Response \(Unknown Status: 0x124\)/);
    expect(said[3]).toMatch(/Called AE Title Not Recognized/);
    await rm(directory, { recursive: true });
  });

  it('accepts other addresses that `senders` names', async () => {
    const from = (address: string, ae?: string) =>
      archive.source({
        endpoint: archive.endpoint,
        retrieval: 'c-move',
        calledAe: 'ANY-SCP',
        senders: [{ address, ...(ae !== undefined && { ae }) }],
      });
    for (const [sender, code] of [
      [from('10.0.0.0/8'), 'bad_gateway'],
      [from('127.0.0.0/8', 'OTHER'), 'bad_gateway'],
      [from('127.0.0.0/8', 'ORTHANC'), undefined],
      [from('127.0.0.1'), undefined],
    ] as const) {
      archive.node.cache.clear();
      const given = await retrieved(sender, FIRST).catch((error: { code: string }) => error.code);
      expect(given).toBe(code ?? 3);
    }
  });
});
