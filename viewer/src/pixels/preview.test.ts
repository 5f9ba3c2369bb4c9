import { expect, test, vi } from 'vitest';
import type { ImageSource } from '../data/source.ts';
import { Trouble } from '../data/trouble.ts';
import { Preview } from './preview.ts';

const AT = { dicomweb: 'https://images.example.org' };
const SIZE = { width: 512, height: 512 };
const show = (preview: Preview, study = '1') => preview.show(AT, { study }, SIZE);

/** Previews of pictures that come when the test says so. */
function bench() {
  const answers: { resolve: (picture: Blob) => void; reject: (error: Error) => void; signal: AbortSignal }[] =
    [];
  const rendered: ImageSource['rendered'] = (_at, _name, _size, signal) =>
    new Promise((resolve, reject) => answers.push({ resolve, reject, signal }));
  const revoked = vi.spyOn(URL, 'revokeObjectURL');
  return { preview: new Preview({ rendered }), answers, revoked };
}

test('a picture has a URL until another takes its place', async () => {
  const { preview, answers, revoked } = bench();
  const first = show(preview);
  answers[0]!.resolve(new Blob(['a']));
  const url = await first;
  expect(url).toMatch(/^blob:/);
  expect(revoked).not.toHaveBeenCalled();
  const second = show(preview, '2');
  expect(revoked).toHaveBeenCalledWith(url);
  answers[1]!.resolve(new Blob(['b']));
  expect(await second).not.toBe(url);
});

test('a picture that comes too late is not shown, and its request is ended', async () => {
  const { preview, answers } = bench();
  const first = show(preview);
  preview.clear();
  expect(answers[0]!.signal.aborted).toBe(true);
  answers[0]!.resolve(new Blob(['a']));
  expect(await first).toBeUndefined();
});

test('the trouble of a request is told; that of one that was ended is not', async () => {
  const { preview, answers } = bench();
  const first = show(preview);
  const second = show(preview, '2');
  answers[0]!.reject(new Trouble('offline', ''));
  answers[1]!.reject(new Trouble('busy', ''));
  expect(await first).toBeUndefined();
  await expect(second).rejects.toMatchObject({ kind: 'busy' });
});
