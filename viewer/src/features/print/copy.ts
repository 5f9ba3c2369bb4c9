/** Controls for a click, a finger or keys are no part of a picture. */
const CONTROLS = '.visually-hidden, button, [role="application"], [data-own-arrows]';

/** Copies a part of the page, with its canvases as pictures: lines and words stay lines and words. */
export async function copyOf(element: Element): Promise<HTMLElement> {
  const copy = element.cloneNode(true) as HTMLElement;
  const canvases = [...element.querySelectorAll('canvas')];
  for (const [at, of] of [...copy.querySelectorAll('canvas')].entries())
    of.replaceWith(await pictureOf(canvases[at]!));
  for (const control of copy.querySelectorAll(CONTROLS)) control.remove();
  return copy;
}

/** Forgets the pictures of a copy. */
export function forget(copy: Element): void {
  for (const { src } of copy.querySelectorAll('img')) URL.revokeObjectURL(src);
}

async function pictureOf(canvas: HTMLCanvasElement): Promise<HTMLImageElement> {
  const blob = await new Promise<Blob | null>((done) => canvas.toBlob(done, 'image/png'));
  if (!blob) throw new Error('the picture cannot be encoded');
  const image = new Image();
  image.className = canvas.className;
  image.style.cssText = canvas.style.cssText;
  image.src = URL.createObjectURL(blob);
  // Before it is printed: a page that is printed waits for nothing.
  await image.decode();
  return image;
}
