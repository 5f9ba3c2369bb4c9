/** Reads key object selections (PS3.3 §A.35.4, PS3.16 TID 2010): images that somebody chose, or rejected, and why. */
import { items } from '../../../../schema/dicom/dicom.ts';
import { codeOf, isCode } from '../../../../schema/dicom/code.ts';
import { placesOf, valueOf } from '../documents/sr-item.ts';
import { text, type Instance } from '../instance.ts';
import type { Colour } from './cielab.ts';
import type { Reader, Reading } from './overlay.ts';
import { isNamed } from './target.ts';

/** Titles that say that images are not to be used, or not as they are (PS3.16 CID 7010; reasons are in CID 7011). */
const REJECTED = new Set(['DCM 113001', 'DCM 113010', 'DCM 113037', 'DCM 113038', 'DCM 113039']);
/** Titles of lists of what a study has: they choose nothing. */
const LISTS = new Set(['30', '31', '32', '33', '34', '35'].map((end) => `DCM 1130${end}`));
const DESCRIPTION = new Set(['DCM 113012']);
const TITLE_MODIFIER = new Set(['DCM 113011']);

/** Other than the person's own stars, which are yellow. */
const CHOSEN: Colour = [120, 200, 255];
const CROSSED: Colour = [255, 110, 90];

export const keyObjects: Reader = {
  kind: 'key-objects',
  sopClasses: ['1.2.840.10008.5.1.4.1.1.88.59'],
  modality: 'KO',
  read: readKeyObjects,
};

function readKeyObjects(instance: Instance): Reading {
  const title = codeOf(instance, '0040A043');
  const children = items(instance, '0040A730');
  const places = placesOf(instance);
  const all = children.flatMap((child) => {
    const value = valueOf(child, places);
    return value.kind === 'references' ? value.references : [];
  });
  const own = text(instance, '0020000D');
  const here = all.filter(({ study = own }) => study === own);
  if (all.length === 0 || isCode(title, LISTS)) return { refused: 'empty' };
  const named = (names: ReadonlySet<string>) =>
    children.filter((child) => isCode(codeOf(child, '0040A043'), names));
  const modifiers = named(TITLE_MODIFIER).flatMap((child) => codeOf(child, '0040A168')?.meaning ?? []);
  const words = named(DESCRIPTION).flatMap((child) => text(child, '0040A160') ?? []);
  const isRejected = isCode(title, REJECTED);
  const name = [title?.meaning, ...modifiers].filter(Boolean).join(', ');
  const shape = { kind: isRejected ? 'crossed' : 'star', text: [name, ...words].join('\n') } as const;
  return {
    content: {
      parts: [{ id: 'images', name, colour: isRejected ? CROSSED : CHOSEN }],
      framesOfReference: new Set(),
      instances: new Set(here.map((one) => one.instance)),
      elsewhere: all.length - here.length,
      shapesOn: (target) => (here.some((one) => isNamed(target, one)) ? [shape] : []),
    },
  };
}
