/** Key images as a key object selection (PS3.3 §A.35.4, PS3.16 TID 2010), and out of it again. */
import { codeOf, isCode } from '../../../../schema/dicom/code.ts';
import { items } from '../../../../schema/dicom/dicom.ts';
import { placesOf, valueOf } from '../documents/sr-item.ts';
import { text, type Instance } from '../instance.ts';
import type { KeyImage } from '../series/key-image.ts';
import { container, dcm, imageItem, item, of, root, type OfImage } from './content.ts';
import { documentOf, evidenceOf, languageItem, observerItems, uidOf, type Authorship } from './document.ts';

export interface Keyed extends OfImage {
  key: KeyImage;
}

const KEY_OBJECT_SELECTION = '1.2.840.10008.5.1.4.1.1.88.59';
const DESCRIPTION = dcm('113012', 'Key Object Description');
const HEADING = 'Key images in their order';

/** Returns the selection of key images of one study, in their order. @param all at least one */
export function selectionOf(all: readonly Keyed[], by: Authorship): Instance {
  const series = { uid: uidOf(by.uuid()), number: 9002, description: 'Key images' };
  const document = { sopClass: KEY_OBJECT_SELECTION, modality: 'KO', series, number: 1 } as const;
  return {
    ...documentOf(document, all[0]!, by),
    ...evidenceOf(all, by),
    ...root(
      container(
        dcm('113000', 'Of Interest'),
        [
          languageItem(),
          ...observerItems(by),
          item({ type: 'TEXT', name: DESCRIPTION, values: { '0040A160': of('UT', descriptionOf(all)) } }),
          ...all.map((one) => imageItem('CONTAINS', one)),
        ],
        '2010',
      ),
    ),
  };
}

/** Before each line of a comment. */
const INDENT = '   ';

/** Returns a line for each image that has words, as `2. Title`, and the lines of its comment below it, indented. */
function descriptionOf(all: readonly Keyed[]): string {
  const lines = all.flatMap(({ key: { title, comment } }, at) => {
    if (!title && !comment) return [];
    const below = comment ? comment.split(/\r\n?|\n/).map((line) => `${INDENT}${line}`) : [];
    return [`${at + 1}. ${title}`, ...below];
  });
  return [HEADING, ...lines].join('\n');
}

/** A key image of a file: how it was shown is in a presentation state. */
export type RestoredKey = Pick<KeyImage, 'image' | 'title' | 'comment'>;

/** Returns the key images of a selection that this viewer has written, in their order. */
export function keyImagesIn(selection: Instance): RestoredKey[] {
  const places = placesOf(selection);
  const children = items(selection, '0040A730');
  const description = children.find((child) =>
    isCode(codeOf(child, '0040A043'), new Set([`DCM ${DESCRIPTION[0]}`])),
  );
  const words = wordsIn((description && text(description, '0040A160')) ?? '');
  const references = children.flatMap((child) => {
    const value = valueOf(child, places);
    return value.kind === 'references' ? value.references : [];
  });
  return references.flatMap(({ study, series, instance, frames: [frame = 1] }, at): RestoredKey[] => {
    if (study === undefined || series === undefined) return [];
    const { title = '', comment = '' } = words.get(at + 1) ?? {};
    return [{ image: { study, series, instance, frame }, title, comment }];
  });
}

interface Words {
  title: string;
  comment: string;
}

/** Returns titles and comments by the number of their image. */
function wordsIn(description: string): Map<number, Words> {
  const found = new Map<number, Words>();
  let last: Words | undefined;
  for (const line of description.split(/\r?\n/)) {
    const [, number, title = ''] = /^(\d+)\.(?: (.*))?$/.exec(line) ?? [];
    if (number !== undefined) found.set(Number(number), (last = { title, comment: '' }));
    else if (last && line.startsWith(INDENT))
      last.comment = [last.comment, line.slice(INDENT.length)].filter(Boolean).join('\n');
  }
  return found;
}
