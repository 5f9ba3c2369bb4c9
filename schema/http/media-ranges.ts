import { Fault } from '../fault/fault.ts';

/** One alternative of an Accept header. */
export interface MediaRange {
  /** In lower case; may be a wildcard. */
  type: string;
  /** Names in lower case; values without quotes. */
  parameters: Readonly<Record<string, string>>;
  quality: number;
  /** For a wildcard: other listed ranges of a lower quality, which it does not cover (RFC 9110 §12.5.1). */
  except?: readonly string[];
}

/** Largest number of media ranges of one request: each is compared with the others, and each may be tried. */
const MAX_RANGES = 50;

/**
 * Returns the media ranges in order of preference. The `accept` query parameter takes precedence over the header (PS3.18
 * §8.3.3.1). Without both, any type is accepted.
 * @throws Fault `invalid_request` for more than `MAX_RANGES`
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

/** Restores `+` in media types: in a query it is read as a space, which no media type has. */
function withPlus(parameter: string): string {
  return parameter.replace(/(\/[\w.-]+) (?=\w)/g, '$1+');
}

/** Returns true when a media range names the type, or is a wildcard that covers it. */
export function takes({ type, except }: Pick<MediaRange, 'type' | 'except'>, mediaType: string): boolean {
  const named = type === mediaType || type === '*/*';
  const within = named || (type.endsWith('/*') && mediaType.startsWith(type.slice(0, -1)));
  return within && !except?.some((one) => takes({ type: one }, mediaType));
}

function mediaRange(text: string): MediaRange {
  const [type = '', ...rest] = split(text, ';').map((part) => part.trim());
  const parameters: Record<string, string> = {};
  let quality = 1;
  for (const part of rest) {
    const equals = part.indexOf('=');
    if (equals <= 0) continue;
    const name = part.slice(0, equals).trim().toLowerCase();
    const value = part.slice(equals + 1).trim();
    const unquoted = value.startsWith('"') ? value.replace(/^"(.*)"$/, '$1') : value;
    if (name === 'q') quality = Number(unquoted);
    else parameters[name] = unquoted;
  }
  return { type: type.toLowerCase(), parameters, quality: Number.isFinite(quality) ? quality : 0 };
}

/** Splits outside quotes. */
function split(text: string, separator: string): string[] {
  return text.match(separator === ',' ? /(?:"[^"]*"|[^,"]+)+/g : /(?:"[^"]*"|[^;"]+)+/g) ?? [];
}
