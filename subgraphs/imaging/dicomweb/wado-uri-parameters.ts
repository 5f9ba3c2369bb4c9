import { UID } from '../../../schema/dicom/dicom.ts';
import { Fault } from '../../../schema/fault/fault.ts';
import { parseAccept, type MediaRange } from '../../../schema/http/media-ranges.ts';
import {
  annotationOf,
  MAX_SIDE,
  NUMBER,
  type Edges,
  type Rendering,
} from '../render/rendering-parameters.ts';
import { isWidth, type Window } from '../render/image/window.ts';
import type { InstanceTarget } from '../sources/source.ts';

/** The parameters of a WADO-URI request, PS3.18 §9.4 and §9.5. */
export interface WadoUriRequest {
  target: InstanceTarget;
  accept: readonly MediaRange[];
  /** Of `application/dicom`; `*`: as stored. */
  transferSyntax?: string;
  /** Frame number, from 1. */
  frame?: number;
  rendering: Rendering;
}

/**
 * Parses a query. Parameters that are unknown, or belong to another media type than the one that is given, are ignored.
 * @param acceptHeader decides if there is no `contentType` and it accepts none of the usual pictures
 * @throws Fault `invalid_request` for a bad value; `not_implemented` if ignoring a parameter would be wrong: to
 *   anonymize an object, to apply a presentation state
 */
export function wadoUriRequest(query: URLSearchParams, acceptHeader: string | undefined): WadoUriRequest {
  const one = (name: string): string | undefined => {
    const [value, ...others] = query.getAll(name);
    if (others.length > 0) throw bad(`Give ${name} once.`);
    return value || undefined;
  };
  if (one('requestType') !== 'WADO') throw bad('requestType is WADO.');
  const uid = (name: string): string => {
    const value = one(name) ?? '';
    if (!UID.test(value)) throw bad(`${name} is needed: a UID is digits and dots, at most 64.`);
    return value;
  };
  const target = { studyUid: uid('studyUID'), seriesUid: uid('seriesUID'), instanceUid: uid('objectUID') };
  refuseUnsupported(query);
  const transferSyntax = one('transferSyntax');
  if (transferSyntax !== undefined && transferSyntax !== '*' && !UID.test(transferSyntax))
    throw bad('transferSyntax is a UID, or * for as stored.');
  const frame = whole(one('frameNumber'), 'frameNumber', 999_999_999);
  const quality = whole(one('imageQuality'), 'imageQuality', 100);
  const viewport = viewportOf(
    whole(one('columns'), 'columns', MAX_SIDE),
    whole(one('rows'), 'rows', MAX_SIDE),
  );
  const region = one('region');
  const window = windowOf(one('windowCenter'), one('windowWidth'));
  return {
    target,
    accept: acceptOf(one('contentType'), acceptHeader),
    transferSyntax,
    frame,
    rendering: {
      ...(viewport && { viewport }),
      edges: region === undefined ? undefined : edgesOf(region),
      ...(window && { window }),
      quality,
      annotation: annotationOf(query.getAll('annotation').filter((value) => value !== '')),
    },
  };
}

/** Returns the wanted media types. The default of WADO-URI is JPEG, whichever pictures a browser prefers. */
function acceptOf(contentType: string | undefined, header: string | undefined): MediaRange[] {
  if (contentType !== undefined) return parseAccept(contentType);
  const ranges = parseAccept(header);
  const usual = ranges.some(({ type }) => ['*/*', 'image/*', 'image/jpeg'].includes(type));
  return usual ? parseAccept(undefined) : ranges;
}

function refuseUnsupported(query: URLSearchParams): void {
  if (query.has('anonymize'))
    throw new Fault('not_implemented', 'Objects are not anonymized here. Without anonymize they are given.');
  if (query.has('presentationUID') || query.has('presentationSeriesUID')) {
    throw new Fault(
      'not_implemented',
      'Presentation states are not applied here. Without presentationUID the object is shown by its own window.',
    );
  }
}

function whole(text: string | undefined, name: string, most: number): number | undefined {
  if (text === undefined) return undefined;
  const value = /^\d{1,9}$/.test(text) ? Number(text) : 0;
  if (value < 1 || value > most) throw bad(`${name} is a whole number, 1 to ${most}.`);
  return value;
}

/** Makes a viewport. One side is enough: the picture keeps its shape. */
function viewportOf(columns: number | undefined, rows: number | undefined): Rendering['viewport'] {
  if (columns === undefined && rows === undefined) return undefined;
  return { width: columns ?? MAX_SIDE, height: rows ?? MAX_SIDE };
}

function edgesOf(text: string): Edges {
  const parts = text.split(',').map((part) => part.trim());
  const [left = -1, upper = -1, right = -1, lower = -1] = parts.map(Number);
  const numbers = parts.length === 4 && parts.every((part) => NUMBER.test(part));
  if (!numbers || left < 0 || upper < 0 || right > 1 || lower > 1 || left >= right || upper >= lower) {
    throw bad(
      'region is xmin,ymin,xmax,ymax: fractions of the image from 0.0 to 1.0, each min below its max.',
    );
  }
  return [left, upper, right, lower];
}

function windowOf(center: string | undefined, width: string | undefined): Window | undefined {
  if (center === undefined && width === undefined) return undefined;
  const numbers = [center, width].every((part) => NUMBER.test(part ?? ''));
  if (!numbers || !isWidth(Number(width), 'linear'))
    throw bad('windowCenter and windowWidth go together: two numbers, and the width at least 1.');
  return { center: Number(center), width: Number(width), shape: 'linear' };
}

function bad(message: string): Fault {
  return new Fault('invalid_request', message);
}
