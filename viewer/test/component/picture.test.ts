import { expect, test, vi } from 'vitest';
import { Trouble } from '../../src/data/trouble.ts';
import { Picture } from '../../src/state/stage/picture.svelte.ts';

/** A picture whose answers come when the test says so. */
function bench() {
  const answers: { resolve: (picture: Blob) => void; reject: (error: Error) => void; signal: AbortSignal }[] =
    [];
  const picture = new Picture();
  const load = () =>
    picture.load((signal) => new Promise((resolve, reject) => answers.push({ resolve, reject, signal })));
  const revoked = vi.spyOn(URL, 'revokeObjectURL');
  return { picture, load, answers, revoked };
}

test('a picture has a URL until another takes its place', async () => {
  const { picture, load, answers, revoked } = bench();
  const first = load();
  answers[0]!.resolve(new Blob(['a']));
  await first;
  const { url } = picture;
  expect(url).toMatch(/^blob:/);
  expect(revoked).not.toHaveBeenCalled();
  const second = load();
  expect(revoked).toHaveBeenCalledWith(url);
  answers[1]!.resolve(new Blob(['b']));
  await second;
  expect(picture.url).toMatch(/^blob:/);
  expect(picture.url).not.toBe(url);
});

test('a picture that comes too late is not shown, and its request is ended', async () => {
  const { picture, load, answers } = bench();
  const first = load();
  picture.close();
  expect(answers[0]!.signal.aborted).toBe(true);
  answers[0]!.resolve(new Blob(['a']));
  await first;
  expect(picture.url).toBeUndefined();
});

test('a request that fails is told; one that was ended is not', async () => {
  const { picture, load, answers } = bench();
  const first = load();
  const second = load();
  answers[0]!.reject(new Trouble('offline', ''));
  await first;
  expect(picture.failed).toBe(false);
  answers[1]!.reject(new Trouble('busy', ''));
  await second;
  expect(picture.failed).toBe(true);
});
