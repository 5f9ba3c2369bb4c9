/** A picture of what an image's place shows: the image, drawings above it, and what is written on it. */

/** Properties of a drawing that a style sheet may set: a copy of it is drawn without the page. */
const DRAWN = [
  'display',
  'visibility',
  'opacity',
  'fill',
  'stroke',
  'stroke-width',
  'stroke-dasharray',
  'stroke-linejoin',
  'paint-order',
  'font-family',
  'font-size',
  'font-weight',
];
/** Controls for a click or a finger are no part of the picture. */
const HIDDEN = '.visually-hidden, button, [role="application"]';

/**
 * Draws an image with everything above it, as it is on the screen.
 * @param canvas of the image, in the page
 * @param around the element that holds the image and what is above it
 */
export async function pictureOf(canvas: HTMLCanvasElement, around: Element): Promise<Blob> {
  const place = around.getBoundingClientRect();
  const scale = Math.max(window.devicePixelRatio, canvas.width / canvas.clientWidth);
  const drawn = document.createElement('canvas');
  drawn.width = Math.round(place.width * scale);
  drawn.height = Math.round(place.height * scale);
  const context = drawn.getContext('2d')!;
  context.scale(scale, scale);
  context.translate(-place.left, -place.top);
  context.fillStyle = '#000';
  context.fillRect(place.left, place.top, place.width, place.height);
  const on = canvas.getBoundingClientRect();
  context.filter = getComputedStyle(canvas).filter;
  context.drawImage(canvas, on.left, on.top, on.width, on.height);
  context.filter = 'none';
  for (const svg of around.querySelectorAll('svg')) {
    if (svg.closest(HIDDEN) === null) await drawSvg(context, svg);
  }
  drawTexts(context, around);
  const blob = await new Promise<Blob | null>((resolve) => drawn.toBlob(resolve, 'image/png'));
  if (!blob) throw new Error('the picture cannot be encoded');
  return blob;
}

async function drawSvg(context: CanvasRenderingContext2D, svg: SVGSVGElement): Promise<void> {
  const { left, top, width, height } = svg.getBoundingClientRect();
  if (width === 0 || height === 0) return;
  const copy = svg.cloneNode(true) as SVGSVGElement;
  const originals = [svg, ...svg.querySelectorAll<SVGElement>('*')];
  for (const [at, element] of [copy, ...copy.querySelectorAll<SVGElement>('*')].entries()) {
    const style = getComputedStyle(originals[at]!);
    for (const name of DRAWN) element.style.setProperty(name, style.getPropertyValue(name));
  }
  copy.setAttribute('width', String(width));
  copy.setAttribute('height', String(height));
  const image = new Image();
  image.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(new XMLSerializer().serializeToString(copy))}`;
  await image.decode();
  context.drawImage(image, left, top, width, height);
}

/** Draws the words of an element, each where it stands. */
function drawTexts(context: CanvasRenderingContext2D, around: Element): void {
  const texts = document.createTreeWalker(around, NodeFilter.SHOW_TEXT);
  const range = document.createRange();
  for (let node = texts.nextNode(); node; node = texts.nextNode()) {
    const parent = node.parentElement!;
    if (parent.closest(`svg, ${HIDDEN}`) || !parent.checkVisibility()) continue;
    const { font, color } = getComputedStyle(parent);
    for (const word of (node.nodeValue ?? '').matchAll(/\S+/g)) {
      range.setStart(node, word.index);
      range.setEnd(node, word.index + word[0].length);
      drawWord(context, word[0], { font, color, at: range.getBoundingClientRect() });
    }
  }
}

function drawWord(
  context: CanvasRenderingContext2D,
  word: string,
  { font, color, at }: { font: string; color: string; at: DOMRect },
): void {
  context.font = font;
  const { fontBoundingBoxAscent: above, fontBoundingBoxDescent: below } = context.measureText(word);
  const baseline = at.top + (at.height - above - below) / 2 + above;
  context.lineJoin = 'round';
  context.lineWidth = 3;
  context.strokeStyle = '#000';
  context.fillStyle = color;
  context.strokeText(word, at.left, baseline);
  context.fillText(word, at.left, baseline);
}
