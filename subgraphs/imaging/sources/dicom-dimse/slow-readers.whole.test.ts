import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { smallObjects } from '../../../../gateway/test/setup/small-objects.ts';
import { startTcpProxy, type TcpProxy } from '../../../../gateway/test/setup/tcp-proxy.ts';
import { giveBack } from '../../multipart/buffer-pool.ts';
import { chunksOf } from '../../multipart/chunks.ts';
import { openDimseOrthanc, openDimseSide, type DimseOrthanc } from '../../test/dimse.ts';
import type { ImagingSource, StoredInstance } from '../source.ts';
import type { RetrievalCache } from './cache.ts';

const STUDY = '1.2.45';
const INSTANCES = 60;
const READERS = 40;
/** Study Root Query/Retrieve Information Model – GET, as written in an A-ASSOCIATE-RQ, PS3.8 §9.3.2.2.1. */
const GET_CONTEXT = Buffer.from('1.2.840.10008.5.1.4.1.2.2.3');

const objects = smallObjects({ studyUid: STUDY, patientId: 'OWN', instances: INSTANCES, side: 64 });
let archive: DimseOrthanc;
let proxy: TcpProxy;

beforeAll(async () => {
  archive = await openDimseOrthanc(objects);
  proxy = await startTcpProxy(archive.orthanc.dicomPort);
});
beforeEach(() => void proxy.connections.splice(0));
afterAll(async () => {
  await proxy?.stop();
  await archive?.stop();
});

/** Returns the number of associations in which the archive was asked for objects. */
const retrievals = () =>
  proxy.connections.filter(({ sent }) => Buffer.concat(sent).includes(GET_CONTEXT)).length;

/** A reader that takes a given number of objects. */
class Reader {
  readonly uids: string[] = [];
  readonly #instances: AsyncIterator<StoredInstance>;
  #over = false;

  constructor(source: ImagingSource) {
    const patient = { id: 'OWN', issuer: '' };
    this.#instances = source.retrieve({ studyUid: STUDY, patient }, '*')[Symbol.asyncIterator]();
  }

  /** @returns true if there were as many */
  async take(count: number): Promise<boolean> {
    for (let n = 0; n < count && !this.#over; n++) {
      const { value, done } = await this.#instances.next();
      if (done) this.#over = true;
      else {
        await value.stream.toArray();
        this.uids.push(value.sopInstanceUid!);
      }
    }
    return !this.#over;
  }
}

const whole = Array.from({ length: INSTANCES }, (_, index) => `${STUDY}.1.${index + 1}`).sort();

/** Runs work with readers, then reads to the end and checks all objects. @param maxBytes of the cache */
async function withReaders(
  count: number,
  maxBytes: number,
  work: (readers: Reader[], behind: { source: ImagingSource; cache: RetrievalCache }) => Promise<unknown>,
): Promise<void> {
  const side = await openDimseSide(maxBytes);
  try {
    const source = side.source({ endpoint: `dimse://127.0.0.1:${proxy.port}` });
    const readers = Array.from({ length: count }, () => new Reader(source));
    await work(readers, { source, cache: side.node.cache });
    await Promise.all(readers.map((reader) => reader.take(Infinity)));
    for (const { uids } of readers) expect(uids.toSorted()).toEqual(whole);
  } finally {
    await side.stop();
  }
}

describe('DW-16 retrieves a study from the archive once', () => {
  test('for 40 simultaneous readers of different speed', () =>
    withReaders(READERS, 1e9, async (readers) => {
      for (let round = 0; round < INSTANCES; round++) {
        for (const [index, reader] of readers.entries()) if (round % (index + 1) === 0) await reader.take(1);
      }
      expect(new Set(readers.map(({ uids }) => uids.length)).size).toBeGreaterThan(10);
      await Promise.all(readers.map((reader) => reader.take(Infinity)));
      expect(retrievals()).toBe(1);
    }));

  test('for readers that join while it is read', () =>
    withReaders(READERS, 1e9, async (readers) => {
      for (const reader of readers) await reader.take(2);
      await Promise.all(readers.map((reader) => reader.take(Infinity)));
      expect(retrievals()).toBe(1);
    }));

  test('without room for all of it, if no reader is too far behind', () => {
    const room = objects.slice(0, 40).reduce((sum, { length }) => sum + length, 0);
    return withReaders(READERS, room, async (readers, { cache }) => {
      const [slow, ...others] = readers as [Reader, ...Reader[]];
      await slow.take(1);
      await Promise.all(others.map((reader) => reader.take(35)));
      await vi.waitUntil(() => !cache.hasRoom, 10_000);
      await slow.take(34);
      await Promise.all(readers.map((reader) => reader.take(Infinity)));
      expect(retrievals()).toBe(1);
    });
  });
});

test('DW-16 retrieves a study again without room only for a reader far behind the others', () =>
  withReaders(READERS, 1, async (readers) => {
    const [slow, ...others] = readers as [Reader, ...Reader[]];
    await slow.take(1);
    await Promise.all(others.map((reader) => reader.take(Infinity)));
    expect(retrievals()).toBe(1);
    await slow.take(Infinity);
    expect(retrievals()).toBe(2);
  }));

test('DW-16 keeps a study that takes more than half of the cache', () => {
  const bytes = objects.reduce((sum, { length }) => sum + length, 0);
  return withReaders(1, 1.5 * bytes, async ([reader], { source }) => {
    await reader!.take(Infinity);
    await new Reader(source).take(Infinity);
    expect(retrievals()).toBe(1);
  });
});

test('DW-24 reads files into memory that readers have given back', async () => {
  const studyUid = '1.2.47';
  const large = await openDimseOrthanc(smallObjects({ studyUid, patientId: 'OWN', side: 3000 }));
  try {
    const buffers = new Set<ArrayBufferLike>();
    let chunks = 0;
    for await (const { stream } of large.source({ endpoint: large.endpoint }).retrieve({ studyUid }, '*')) {
      for await (const chunk of chunksOf(stream)) {
        chunks++;
        buffers.add(chunk.buffer);
        giveBack(chunk);
      }
    }
    expect(chunks).toBeGreaterThan(15);
    expect(buffers.size).toBeLessThan(8);
  } finally {
    await large.stop();
  }
});
