/** Reads what a sentence of a report says about images: `series 3, image 12`, `imágenes 4 y 5`, `(3/87)`. English and Spanish. */

/** Numbers as they are printed, the first and the last. */
export type NumberRange = readonly [from: number, to: number];

export interface Mention {
  /** Its place in the text. */
  start: number;
  end: number;
  series?: number;
  images?: NumberRange;
  frames?: NumberRange;
}

/** A number of a series or image: no measurement, date or part of a longer number. */
const NUMBER = String.raw`(\d{1,4})(?!\d|[.,]\d|\s*/\s*\d|\s*(?:[%×°]|(?:mm|cm|ml|cc|hu|kg|mg)\b))`;
const TO = String.raw`\s*(?:-|–|to|through|a|al|hasta)\s*`;
const SIGN = String.raw`\s*(?:#|n[.º°]{1,2}|no\.|number|n[uú]mero)?:?\s*`;
const SERIES = String.raw`(?:series|serie)${SIGN}${NUMBER}`;
const IMAGES = String.raw`(?:images|im[aá]genes|slices|cortes)`;
const IMAGE = String.raw`(?:${IMAGES}|image|imagen|slice|corte)`;
const FRAMES = String.raw`(?:\s*[,(]?\s*(?:frames?|fotogramas?|cuadros?)${SIGN}${NUMBER}(?:${TO}${NUMBER})?)?`;
/** Between a series and its images. */
const THEN = String.raw`\s*[,:(\[/–-]?\s*`;
/** Between images and their series. */
const OF = String.raw`\s*[,(]?\s*(?:(?:of|in|on|from|de|en)\s+)?(?:(?:the|la)\s+)?`;

const LETTER_BEFORE = String.raw`(?<![\p{L}\p{N}])`;
const sticky = (source: string) => new RegExp(source, 'iuy');

const STARTS = new RegExp(`${LETTER_BEFORE}(?:series|serie|se\\.?|${IMAGE})|[([]\\s*\\d`, 'giu');
const SERIES_FIRST = sticky(SERIES);
/** `Se 3 Im 12`: alone, `se` is a Spanish word. */
const SHORT = sticky(String.raw`se\.?:?\s*(\d{1,4})[,/]?\s*im\.?g?\.?:?\s*${NUMBER}`);
const PAIRS = sticky(String.raw`[([]\s*(\d{1,4}\s*/\s*\d{1,4}(?:\s*[,;]\s*\d{1,4}\s*/\s*\d{1,4})*)\s*[)\]]`);
const PAIR = /(\d{1,4})\s*\/\s*(\d{1,4})/g;
const NUMBERED = sticky(`(${IMAGE})${SIGN}${NUMBER}(?:${TO}${NUMBER})?`);
const AFTER_SERIES = sticky(THEN);
const AFTER_IMAGES = sticky(`${OF}${SERIES}`);
const FRAMED = sticky(FRAMES);
const NEXT = sticky(
  String.raw`\s*(?:,\s*(and|y|e|&)?|(and|y|e|&))\s*(?:(${IMAGE})${SIGN})?${NUMBER}(?:${TO}${NUMBER})?`,
);
const LIST_GOES_ON = sticky(String.raw`\s*(?:[,;.:)\]]|$|(?:and|y|e|&)\s)`);
const IS_PLURAL = new RegExp(`^${IMAGES}$`, 'iu');

/** Words after which two numbers with a slash are a score or a date: `grade (3/5)`. */
const SCORE =
  /(?:grade|score|strength|power|scale|stage|points?|date|grado|fuerza|escala|estadio|puntuaci[oó]n|fecha|birads|pi-?rads|ti-?rads)\W*$/iu;

function at(pattern: RegExp, text: string, index: number): RegExpExecArray | null {
  pattern.lastIndex = index;
  return pattern.exec(text);
}

const rangeOf = (from: string | undefined, to: string | undefined): NumberRange => [
  Number(from),
  Number(to ?? from),
];

/** Returns the mentions of a sentence, in their order. Whether there is such an image is not known here. */
export function mentionsOf(text: string): Mention[] {
  const found: Mention[] = [];
  let index = 0;
  for (;;) {
    const start = at(STARTS, text, index)?.index;
    if (start === undefined) return found;
    const mentions = bySeries(text, start) ?? byImages(text, start) ?? byShortForm(text, start);
    found.push(...mentions);
    index = mentions.at(-1)?.end ?? start + 1;
  }
}

/** `series 3`, with images or without. */
function bySeries(text: string, start: number): Mention[] | undefined {
  const series = at(SERIES_FIRST, text, start);
  if (!series) return undefined;
  const end = start + series[0].length;
  const number = Number(series[1]);
  const images = imagesAt(text, end + at(AFTER_SERIES, text, end)![0].length);
  if (images.length === 0) return [{ start, end, series: number }];
  return images.map((one, place) => ({ ...one, series: number, ...(place === 0 && { start }) }));
}

/** `image 12`, or `images 12 and 13 of series 3`. */
function byImages(text: string, start: number): Mention[] | undefined {
  const images = imagesAt(text, start);
  const end = images.at(-1)?.end;
  if (end === undefined) return undefined;
  const series = at(AFTER_IMAGES, text, end);
  if (!series) return images;
  const number = Number(series[1]);
  // `image 4, series 3, image 5`: the series belongs to what follows it.
  const after = end + series[0].length;
  if (
    series[0].startsWith(',') &&
    imagesAt(text, after + at(AFTER_SERIES, text, after)![0].length).length > 0
  )
    return images;
  const last = images.length - 1;
  return images.map((one, place) => ({ ...one, series: number, ...(place === last && { end: after }) }));
}

/** `(3/87)`, `Se 3 Im 87`. */
function byShortForm(text: string, start: number): Mention[] {
  const short = at(SHORT, text, start);
  if (short) {
    const [whole, series, image] = short;
    return [{ start, end: start + whole.length, series: Number(series), images: rangeOf(image, undefined) }];
  }
  const pairs = at(PAIRS, text, start);
  if (!pairs || SCORE.test(text.slice(0, start))) return [];
  const inner = start + pairs[0].indexOf(pairs[1]!);
  return [...pairs[1]!.matchAll(PAIR)].map(({ 0: whole, 1: series, 2: image, index }) => ({
    start: inner + index,
    end: inner + index + whole.length,
    series: Number(series),
    images: rangeOf(image, undefined),
  }));
}

/** Reads `image 12`, `images 12-14`, `images 4, 5 and 8`, each with its frames. */
function imagesAt(text: string, start: number): Mention[] {
  const first = at(NUMBERED, text, start);
  if (!first) return [];
  const plural = IS_PLURAL.test(first[1]!);
  const found = [
    withFrames(text, { start, end: start + first[0].length, images: rangeOf(first[2], first[3]) }),
  ];
  for (;;) {
    const begin = found.at(-1)!.end;
    const next = at(NEXT, text, begin);
    if (!next) return found;
    const [whole, afterComma, alone, word, from, to] = next;
    const end = begin + whole.length;
    // `image 3, 2 new nodules` has one image; `image 3 and image 4 of series 5` two series.
    const belongs =
      word === undefined
        ? plural && (afterComma ?? alone ?? at(LIST_GOES_ON, text, end)) !== null
        : at(AFTER_IMAGES, text, end) === null;
    if (!belongs) return found;
    const own = begin + whole.search(word === undefined ? /\d/ : new RegExp(word, 'u'));
    found.push(withFrames(text, { start: own, end, images: rangeOf(from, to) }));
  }
}

function withFrames(text: string, mention: Mention): Mention {
  const framed = at(FRAMED, text, mention.end);
  if (!framed?.[1]) return mention;
  return { ...mention, end: mention.end + framed[0].length, frames: rangeOf(framed[1], framed[2]) };
}
