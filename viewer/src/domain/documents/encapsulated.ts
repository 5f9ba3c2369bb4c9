/** Documents inside DICOM objects: PDF, CDA, models for printing (PS3.3 §C.24). */
import { text, type Attribute, type Instance } from '../instance.ts';
import { codeOf, type Code } from '../../../../schema/dicom/code.ts';

export interface Encapsulated {
  title?: string;
  /** In lower case; `application/octet-stream` where the object does not say. */
  mediaType: string;
  /** The kind of document, as the object states it. */
  concept?: Code;
  /** Bytes of the document without the byte that makes them even; undefined where the object does not say. */
  length?: number;
  data: Attribute;
}

const DOCUMENT = '00420011';
const OCTETS = 'application/octet-stream';

/** By SOP Class, for objects without MIME Type of Encapsulated Document (0042,0012). */
const MEDIA_TYPES: Readonly<Record<string, string>> = {
  '1.2.840.10008.5.1.4.1.1.104.1': 'application/pdf',
  '1.2.840.10008.5.1.4.1.1.104.2': 'text/xml',
  '1.2.840.10008.5.1.4.1.1.104.3': 'model/stl',
  '1.2.840.10008.5.1.4.1.1.104.4': 'model/obj',
  '1.2.840.10008.5.1.4.1.1.104.5': 'model/mtl',
};

/** Returns the document inside an object; undefined if there is none. */
export function encapsulatedOf(instance: Instance): Encapsulated | undefined {
  const data = instance[DOCUMENT];
  const ofClass = MEDIA_TYPES[text(instance, '00080016') ?? ''];
  if (!data || (data.BulkDataURI === undefined && data.InlineBinary === undefined)) return undefined;
  const length = Number(instance['00420015']?.Value?.[0] ?? NaN);
  return {
    title: text(instance, '00420010') ?? text(instance, '0008103E'),
    mediaType: (text(instance, '00420012') ?? ofClass ?? OCTETS).toLowerCase(),
    concept: codeOf(instance, '0040A043'),
    length: length > 0 ? length : undefined,
    data,
  };
}

/** Returns true for an object that has a document inside, or should have one. */
export function isEncapsulated(instance: Instance): boolean {
  return MEDIA_TYPES[text(instance, '00080016') ?? ''] !== undefined || instance[DOCUMENT] !== undefined;
}

/** Bytes in which a PDF may begin (ISO 32000-1 §7.5.2, with what readers accept before it). */
const HEADER_WITHIN = 1024;

/** Returns true if the bytes are a PDF, whatever their media type says. */
export function isPdf(bytes: Uint8Array): boolean {
  return new TextDecoder('latin1').decode(bytes.subarray(0, HEADER_WITHIN)).includes('%PDF-');
}

const EXTENSIONS: Readonly<Record<string, string>> = {
  'application/pdf': 'pdf',
  'text/xml': 'xml',
  'application/xml': 'xml',
  'text/plain': 'txt',
  'text/html': 'html',
  'text/rtf': 'rtf',
  'application/rtf': 'rtf',
  'image/jpeg': 'jpg',
  'image/png': 'png',
  'image/tiff': 'tif',
  'video/mp4': 'mp4',
  'video/mp2t': 'ts',
  'model/stl': 'stl',
  'model/obj': 'obj',
  'model/mtl': 'mtl',
};

/** Returns a name under which a document can be kept: its title without what file systems refuse. */
export function fileNameOf(title: string | undefined, mediaType: string): string {
  const extension = EXTENSIONS[mediaType.split(';', 1)[0]!.trim()] ?? 'bin';
  const name = (title ?? '')
    .replace(/[^\p{L}\p{N}._-]+/gu, ' ')
    .replace(/^[ .]+/, '')
    .trim();
  const kept = name
    .replace(new RegExp(`\\.${extension}$`, 'i'), '')
    .slice(0, 80)
    .trim();
  return `${kept || 'document'}.${extension}`;
}
