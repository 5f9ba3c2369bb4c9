import { items, texts, type DicomJson } from '../../../schema/dicom/dicom.ts';
import { Fault } from '../../../schema/fault/fault.ts';
import { string } from '../dicom/dicom-text.ts';
import { srCodeOf, privateSchemes, type PrivateSchemes, type SrCode } from './sr-code.ts';

/** Content items of one report that are read; a larger report is refused as a whole. */
export const MAX_ITEMS = 10_000;
const MAX_DEPTH = 64;
/** Items that one item stands on: references could make each item stand on all others. */
const MAX_REACHED = 1000;

/** A content item of a structured report (PS3.3 §C.17.3.2). */
export interface ContentItem {
  /** Position in the tree, as references name it: `1.2.1` (PS3.3 §C.17.3.2.5). */
  path: string;
  /** Value type; undefined if it is missing, or the item is a reference. */
  type: string | undefined;
  relationship: string | undefined;
  name: SrCode | undefined;
  dataset: DicomJson;
  children: readonly ContentItem[];
  /** Path of the item that stands here by reference. */
  refersTo: string | undefined;
}

export interface ContentTree {
  root: ContentItem;
  byPath: ReadonlyMap<string, ContentItem>;
  schemes: PrivateSchemes;
}

const CONTENT = '0040A730';

/**
 * Reads the content tree of a report. What is malformed in it is left out.
 * @throws Fault `too_large` for more than `MAX_ITEMS` items, or items nested deeper than 64 levels
 */
export function contentTree(report: DicomJson): ContentTree {
  const schemes = privateSchemes(report);
  const byPath = new Map<string, ContentItem>();
  const read = (dataset: DicomJson, path: string, depth: number): ContentItem => {
    if (byPath.size >= MAX_ITEMS || depth > MAX_DEPTH) throw tooLarge();
    const item: { -readonly [K in keyof ContentItem]: ContentItem[K] } = {
      path,
      type: string(dataset, '0040A040'),
      relationship: string(dataset, '0040A010'),
      name: srCodeOf(dataset, '0040A043', schemes),
      dataset,
      children: [],
      refersTo: referenceOf(dataset),
    };
    byPath.set(path, item);
    item.children = items(dataset, CONTENT).map((child, index) =>
      read(child, `${path}.${index + 1}`, depth + 1),
    );
    return item;
  };
  return { root: read(report, '1', 0), byPath, schemes };
}

function referenceOf(dataset: DicomJson): string | undefined {
  const numbers = texts(dataset, '0040DB73');
  return numbers.length > 0 ? numbers.join('.') : undefined;
}

function tooLarge(): Fault {
  return new Fault(
    'too_large',
    `A structured report has more than ${MAX_ITEMS} content items, or more than ${MAX_DEPTH} levels. Retrieve it with DICOMweb.`,
    { service: 'imaging' },
  );
}

/**
 * Returns an item and everything that it stands on: its descendants, and the items that these refer to, each once.
 * Items by reference may form circles, which end here.
 * @param within chooses the items that are followed
 */
export function reachable(
  start: ContentItem,
  { byPath }: ContentTree,
  within: (item: ContentItem) => boolean,
): ContentItem[] {
  const seen = new Set<ContentItem>([start]);
  // A set is iterated with the members that are added meanwhile.
  for (const item of seen) {
    if (seen.size > MAX_REACHED) break;
    for (const child of item.children) {
      const target = child.refersTo === undefined ? child : byPath.get(child.refersTo);
      if (target && within(target)) seen.add(target);
    }
  }
  return [...seen];
}
