import { describe, expect, test, vi } from 'vitest';
import { smallObjects } from '../../../../gateway/test/setup/small-objects.ts';
import type { Target } from '../source.ts';
import { checkedObject } from './checked-object.ts';

/** DW-26: objects of an archive are compared with the request. */

const [OBJECT] = smallObjects({ studyUid: '1.2.3', patientId: 'A', issuer: 'H' }) as [Buffer];
const TARGET: Target = {
  studyUid: '1.2.3',
  seriesUid: '1.2.3.1',
  instanceUid: '1.2.3.1.1',
  patient: { id: 'A', issuer: 'H' },
};

async function* cut(bytes: Buffer, size: number): AsyncGenerator<Buffer, void, void> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}
const onOtherObject = vi.fn();
async function given(bytes: Buffer, target: Target, size = 100): Promise<Buffer> {
  const chunks: Buffer[] = [];
  onOtherObject.mockClear();
  for await (const chunk of await checkedObject(cut(bytes, size), target, onOtherObject)) chunks.push(chunk);
  return Buffer.concat(chunks);
}

test.each([1, 2, 7, 64, 100_000])('gives the whole requested object, in pieces of %i bytes', async (size) => {
  expect((await given(OBJECT, TARGET, size)).equals(OBJECT)).toBe(true);
  expect(onOtherObject).not.toHaveBeenCalled();
});

describe.each([3, 1000])('in pieces of %i bytes', (size) => {
  test.each<[what: string, target: Partial<Target>]>([
    ['another study', { studyUid: '1.2.4' }],
    ['another series', { seriesUid: '1.2.3.2' }],
    ['another instance', { instanceUid: '1.2.3.1.2' }],
    ['another patient', { patient: { id: 'B', issuer: '' } }],
    ['a patient of another issuer', { patient: { id: 'A', issuer: 'G' } }],
  ])('refuses an object of %s', async (_what, target) => {
    await expect(given(OBJECT, { ...TARGET, ...target }, size)).rejects.toMatchObject({
      code: 'bad_gateway',
    });
    expect(onOtherObject).toHaveBeenCalledOnce();
  });
});

test('gives an object when the rows of the archive have no issuer', async () => {
  const target = { ...TARGET, patient: { id: 'A', issuer: '' } };
  expect((await given(OBJECT, target)).length).toBe(OBJECT.length);
});

test.each([65_536, 700_000])('finds UIDs after much private data, in pieces of %i bytes', async (size) => {
  // (0019,1010) UT, PS3.5 §7.1.2.
  const long = Buffer.concat([Buffer.from('190010105554000000000000', 'hex'), Buffer.alloc(900_000, 'x')]);
  long.writeUInt32LE(900_000, 8);
  const at = OBJECT.indexOf(Buffer.from('20000d005549', 'hex'));
  const object = Buffer.concat([OBJECT.subarray(0, at), long, OBJECT.subarray(at), Buffer.alloc(300_000)]);
  expect((await given(object, TARGET, size)).equals(object)).toBe(true);
  const other = { ...TARGET, studyUid: '1.2.4' };
  await expect(given(object, other, size)).rejects.toMatchObject({ code: 'bad_gateway' });
});

test.each<[what: string, bytes: Buffer]>([
  ['nothing', Buffer.alloc(0)],
  ['another format', Buffer.from('no DICOM at all, but long enough to be looked at')],
  ['an object that ends before its UIDs', OBJECT.subarray(0, 300)],
])('gives %s unchanged', async (_what, bytes) => {
  expect((await given(bytes, TARGET)).equals(bytes)).toBe(true);
});
