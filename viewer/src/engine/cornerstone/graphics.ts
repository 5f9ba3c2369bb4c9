/** Whether a graphics card draws. Where the processor plays the card, to ask WebGL takes half a second: a worker does it. */

/** Names that WebGL has for a processor that draws. */
const PROCESSORS = /swiftshader|llvmpipe|softpipe|software|microsoft basic render/i;
/** Milliseconds that the answer may take. */
const LONGEST = 2_000;

/** `none`: no card, or no WebGL. `unknown`: the browser does not tell a worker. */
type Graphics = 'card' | 'none' | 'unknown';

/** @throws nothing: a worker that fails, or does not answer, leaves it `unknown` */
export async function detectGraphics(): Promise<Graphics> {
  const worker = new Worker(new URL('./graphics-worker.ts', import.meta.url), { type: 'module' });
  const renderer = await new Promise<unknown>((resolve) => {
    worker.onmessage = ({ data }) => resolve(data);
    worker.onerror = () => resolve(undefined);
    setTimeout(resolve, LONGEST);
  });
  worker.terminate();
  if (renderer === null) return 'none';
  if (typeof renderer !== 'string') return 'unknown';
  return PROCESSORS.test(renderer) ? 'none' : 'card';
}

let looksForCard = false;

/** Whether Cornerstone may look for a card itself: see `engine-parts.ts`. */
export const lookForCard = (may: boolean): void => void (looksForCard = may);
export const mayLookForCard = (): boolean => looksForCard;
