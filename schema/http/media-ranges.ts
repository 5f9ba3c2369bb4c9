import { Fault } from '../fault/fault.ts';

/** One alternative of an Accept header. */
export interface MediaRange {
  /** Lower case; may be a wildcard. */
  type: string;
  /** Names in lower case; quotes gone. */
  parameters: Readonly<Record<string, string>>;
  quality: number;
  /** Of a wildcard: types and families of them that are named beside it and liked less, or not at all (RFC 9110 §12.5.1). */
  except?: readonly string[];
}

/** Media ranges of one request: each is compared with the others, and each may be tried. */
const MAX_RANGES = 50;

/**
 * The media ranges in order of preference. The `accept` query parameter goes before the header (PS3.18 §8.3.3.1);
 * nothing at all means anything.
 * @throws Fault `invalid_request` for more of them than any client has
 */
export function parseAccept(header: string | undefined, parameter?: readonly string[]): MediaRange[] {
  const text = parameter && parameter.length > 0 ? parameter.map(withPlus).join(',') : header;
  if (!text?.trim()) return [{ type: '*/*', parameters: {}, quality: 1 }];
  const texts = split(text, ',');
  if (texts.length > MAX_RANGES)
    throw new Fault('invalid_request', `Accept names at most ${MAX_RANGES} media ranges.`);
  const ranges = texts.map((range) => mediaRange(range)).filter(({ type }) => type.includes('/'));
  // The best first (RFC 9110 §12.4.2, DW-11).
  const liked = ranges.filter(({ quality }) => quality > 0).sort((a, b) => b.quality - a.quality);
  if (ranges.length === 1) return liked;
  return liked.map((range) => {
    if (!range.type.endsWith('/*')) return range;
    const less = ranges.filter(({ type, quality }) => quality < range.quality && type !== '*/*');
    return { ...range, except: less.map(({ type }) => type) };
  });
}

/** In a query `+` is a space; there is none in the name of a media type. */
function withPlus(parameter: string): string {
  return parameter.replace(/(\/[\w.-]+) (?=\w)/g, '$1+');
}

/** Whether a media range names the type, or is a wildcard for it. */
export function takes({ type, except }: Pick<MediaRange, 'type' | 'except'>, mediaType: string): boolean {
  const named = type === mediaType || type === '*/*';
  const within = named || (type.endsWith('/*') && mediaType.startsWith(type.slice(0, -1)));
  return within && !except?.some((one) => takes({ type: one }, mediaType));
}

function mediaRange(text: string): MediaRange {
  const [type = '', ...rest] = split(text, ';').map((part) => part.trim());
  const parameters: Record<string, string> = {};
  for (const part of rest) {
    const equals = part.indexOf('=');
    if (equals > 0) {
      const value = part.slice(equals + 1).trim();
      parameters[part.slice(0, equals).trim().toLowerCase()] = value.replace(/^"(.*)"$/, '$1');
    }
  }
  const { q, ...others } = parameters;
  const quality = q === undefined ? 1 : Number(q);
  return { type: type.toLowerCase(), parameters: others, quality: Number.isFinite(quality) ? quality : 0 };
}

/** Splits outside quotes. */
function split(text: string, separator: string): string[] {
  return text.match(separator === ',' ? /(?:"[^"]*"|[^,"]+)+/g : /(?:"[^"]*"|[^;"]+)+/g) ?? [];
}
