import { afterEach, expect, test } from 'vitest';
import { saveZip, type ZippedFile } from '../../src/ui/controls/save-zip.ts';

/** A file that a person has chosen, as the browser gives it. */
class Chosen {
  /** Bytes that it had before. */
  readonly size: number;
  written = 0;
  ended: 'closed' | 'aborted' | undefined;
  removed = false;

  constructor(size: number) {
    this.size = size;
    Object.assign(window, { showSaveFilePicker: () => Promise.resolve(this) });
  }

  readonly createWritable = () =>
    Promise.resolve(
      new WritableStream<Uint8Array>({
        write: (chunk) => void (this.written += chunk.length),
        close: () => void (this.ended = 'closed'),
        abort: () => void (this.ended = 'aborted'),
      }),
    );
  readonly getFile = () => Promise.resolve({ size: this.size });
  readonly remove = () => Promise.resolve(void (this.removed = true));
}
afterEach(() => Reflect.deleteProperty(window, 'showSaveFilePicker'));

async function* files(count: number, then?: () => void): AsyncGenerator<ZippedFile> {
  for (let at = 0; at < count; at++)
    yield await new Promise<ZippedFile>((come) =>
      setTimeout(() => come({ name: `${at}`, input: new Uint8Array(1000) })),
    );
  then?.();
}
const broken = () => {
  throw new Error('the line is cut');
};

test('a zip is written into the file as it comes', async () => {
  const chosen = new Chosen(0);
  await saveZip(files(3), 'a.zip', { signal: new AbortController().signal });
  expect(chosen).toMatchObject({ ended: 'closed', removed: false });
  expect(chosen.written).toBeGreaterThan(3000);
});

test.each([
  ['one that the browser has made for it is gone', 0, true],
  ['one that was there before stays as it was', 5000, false],
])('after a cancel nothing is left: %s', async (_what, size, removed) => {
  const chosen = new Chosen(size);
  const cancelling = new AbortController();
  const saving = saveZip(files(1_000_000), 'a.zip', { signal: cancelling.signal });
  await expect.poll(() => chosen.written).toBeGreaterThan(0);
  cancelling.abort(new Error('cancelled'));
  await expect(saving).rejects.toThrow('cancelled');
  expect(chosen).toMatchObject({ ended: 'aborted', removed });
});

test('nor after a failure', async () => {
  const chosen = new Chosen(0);
  const { signal } = new AbortController();
  await expect(saveZip(files(3, broken), 'a.zip', { signal })).rejects.toThrow('the line is cut');
  expect(chosen).toMatchObject({ ended: 'aborted', removed: true });
});
