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
/** Attribute of words that name the patient. */
const NAMES = '[data-names]';

/** An image's place in the page. */
export interface Place {
  /** Of the image. */
  canvas: HTMLCanvasElement;
  /** The element that holds the image and what is above it. */
  around: Element;
  /** True if the patient's name is drawn, too. */
  names: boolean;
}

/** Returns the size of a picture in its pixels, and how many of them there are for one of the page. */
export function pictureSize({ canvas, around }: Place): { width: number; height: number; scale: number } {
  const { width, height } = around.getBoundingClientRect();
  const scale = Math.max(window.devicePixelRatio, canvas.width / canvas.clientWidth);
  return { width: Math.round(width * scale), height: Math.round(height * scale), scale };
}

/** Draws an image with everything above it, as it is on the screen; what a larger canvas has besides is black. */
export async function draw(context: CanvasRenderingContext2D, place: Place): Promise<void> {
  const { canvas, around, names } = place;
  const { left, top } = around.getBoundingClientRect();
  const { scale } = pictureSize(place);
  context.resetTransform();
  context.fillStyle = '#000';
  context.fillRect(0, 0, context.canvas.width, context.canvas.height);
  context.scale(scale, scale);
  context.translate(-left, -top);
  const on = canvas.getBoundingClientRect();
  context.filter = getComputedStyle(canvas).filter;
  context.drawImage(canvas, on.left, on.top, on.width, on.height);
  context.filter = 'none';
  for (const drawing of around.querySelectorAll<SVGSVGElement | HTMLCanvasElement>('svg, canvas')) {
    if (drawing === canvas || drawing.closest(HIDDEN) !== null) continue;
    if (drawing instanceof SVGSVGElement) await drawSvg(context, drawing);
    else drawPlane(context, drawing);
  }
  drawTexts(context, around, names ? HIDDEN : `${HIDDEN}, ${NAMES}`);
}

/** Returns an image with everything above it as a PNG. @throws Error if the browser cannot encode it */
export async function pictureOf(place: Place): Promise<Blob> {
  const drawn = document.createElement('canvas');
  const { width, height } = pictureSize(place);
  Object.assign(drawn, { width, height });
  await draw(drawn.getContext('2d')!, place);
  const blob = await new Promise<Blob | null>((resolve) => drawn.toBlob(resolve, 'image/png'));
  if (!blob) throw new Error('the picture cannot be encoded');
  return blob;
}

/** Draws pixels of an overlay, which the page has brought onto those of the image. */
function drawPlane(context: CanvasRenderingContext2D, canvas: HTMLCanvasElement): void {
  const { left, top } = canvas.offsetParent?.getBoundingClientRect() ?? { left: 0, top: 0 };
  const { a, b, c, d, e, f } = new DOMMatrix(getComputedStyle(canvas).transform);
  context.save();
  context.translate(left, top);
  context.transform(a, b, c, d, e, f);
  context.imageSmoothingEnabled = false;
  context.drawImage(canvas, 0, 0);
  context.restore();
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

/** Draws the words of an element, each where it stands. @param without selector of elements whose words are left out */
function drawTexts(context: CanvasRenderingContext2D, around: Element, without: string): void {
  const texts = document.createTreeWalker(around, NodeFilter.SHOW_TEXT);
  const range = document.createRange();
  for (let node = texts.nextNode(); node; node = texts.nextNode()) {
    const parent = node.parentElement!;
    if (parent.closest(`svg, ${without}`) || !parent.checkVisibility()) continue;
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
