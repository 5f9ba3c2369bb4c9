import { once } from 'node:events';
import { createServer, get, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Writable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { BufferPool, giveBack } from './buffer-pool.ts';
import { WrittenBody } from './written-body.ts';

const LENGTH = 200_000;

/** Yields chunks, each filled with one value, in memory of the pool. */
async function* filled(pool: BufferPool, values: readonly number[]): AsyncGenerator<Uint8Array> {
  for (const value of values) yield pool.take(LENGTH).fill(value);
}

describe('a buffer pool', () => {
  it('reuses a buffer that was given back, once, and no part of it', () => {
    const pool = new BufferPool();
    const first = pool.take(LENGTH);
    expect(first.length).toBe(LENGTH);
    giveBack(first.subarray(0, 10));
    expect(pool.take(LENGTH).buffer).not.toBe(first.buffer);
    giveBack(first);
    giveBack(first);
    const again = pool.take(LENGTH - 1);
    expect(again.buffer).toBe(first.buffer);
    expect(again.length).toBe(LENGTH - 1);
    expect(pool.take(LENGTH).buffer).not.toBe(first.buffer);
  });

  it('keeps memory up to a limit', () => {
    const pool = new BufferPool(1024 * 1024);
    const taken = Array.from({ length: 8 }, () => pool.take(LENGTH));
    for (const buffer of taken) giveBack(buffer);
    const memory = new Set(taken.map(({ buffer }) => buffer));
    const again = Array.from({ length: 8 }, () => pool.take(LENGTH));
    expect(again.filter(({ buffer }) => memory.has(buffer))).toHaveLength(4);
  });
});

describe('a body written to a response', () => {
  it('gives memory back after the destination has taken it, and not before', async () => {
    const pool = new BufferPool();
    const received: number[] = [];
    const inUse = new Set<ArrayBufferLike>();
    const slow = new Writable({
      highWaterMark: 1,
      write(chunk: Buffer, _encoding, done) {
        inUse.add(chunk.buffer);
        setTimeout(() => {
          received.push(chunk[0]!);
          expect(chunk.equals(Buffer.alloc(LENGTH, chunk[0]))).toBe(true);
          done();
        }, 5);
      },
    });
    const values = Array.from({ length: 20 }, (_, index) => index);
    new WrittenBody(filled(pool, values)).pipe(slow);
    await once(slow, 'finish');
    expect(received).toEqual(values);
    expect(inUse.size).toBeLessThan(8);
  });

  it('can be read as any other stream', async () => {
    const read: number[] = [];
    for await (const chunk of new WrittenBody(filled(new BufferPool(), [1, 2, 3])))
      read.push((chunk as Buffer)[0]!);
    expect(read).toEqual([1, 2, 3]);
  });

  it('fails with its source, and does not end the answer (DW-13)', async () => {
    const body = new WrittenBody(
      (async function* () {
        yield Buffer.from('one');
        throw new Error('cut');
      })(),
    );
    const taken: string[] = [];
    let ended = false;
    const destination = new Writable({
      write: (chunk: Buffer, _encoding, done) => (taken.push(chunk.toString()), done()),
      final: (done) => ((ended = true), done()),
    });
    body.pipe(destination);
    const [error] = (await once(body, 'error').catch((failure: unknown) => [failure])) as [Error];
    expect(error.message).toBe('cut');
    await sleep(10);
    expect([taken, ended]).toEqual([['one'], false]);
  });

  it('closes its source when it is destroyed before its end', async () => {
    let closed = false;
    const endless = (async function* () {
      try {
        for (;;) yield Buffer.alloc(LENGTH);
      } finally {
        closed = true;
      }
    })();
    const body = new WrittenBody(endless);
    body.pipe(new Writable({ write: () => undefined }));
    await sleep(10);
    expect(closed).toBe(false);
    body.destroy();
    await once(body, 'close');
    expect(closed).toBe(true);
  });
});

describe('concurrent answers from one pool', () => {
  const pool = new BufferPool();
  const server = createServer((request, response) => {
    const value = Number(request.url!.slice(1));
    new WrittenBody(filled(pool, Array<number>(30).fill(value))).pipe(response);
  });
  beforeAll(async () => {
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
  });
  afterAll(() => server.close());

  it('never mix, when clients are fast, slow, or leave', async () => {
    const { port } = server.address() as AddressInfo;
    const read = async (value: number) => {
      const [response] = (await once(get({ port, path: `/${value}` }), 'response')) as [IncomingMessage];
      let bytes = 0;
      for await (const chunk of response) {
        const buffer = chunk as Buffer;
        expect(buffer.equals(Buffer.alloc(buffer.length, value))).toBe(true);
        bytes += buffer.length;
        if (value % 3 === 1) await sleep(1);
        if (value % 3 === 2 && bytes > LENGTH) return response.destroy();
      }
      expect(bytes).toBe(30 * LENGTH);
    };
    for (let round = 0; round < 3; round++)
      await Promise.all(Array.from({ length: 12 }, (_, index) => read(round * 12 + index)));
  });
});
