/** Facts of an overlay before it is read, and reasons why it is not drawn on an image. */
import { items } from '../../../../schema/dicom/dicom.ts';
import { instanceUid, text, type Instance } from '../instance.ts';
import { compareIdentity, imageIdentity } from '../record/identity.ts';
import type { Content } from './overlay.ts';
import type { Target } from './target.ts';

export interface Header {
  /** SOP Instance UID. */
  uid: string;
  /** As its author named it. */
  label: string | undefined;
  /** DICOM DA. */
  date: string | undefined;
  /** A person, or the program that made it. */
  author: string | undefined;
}

/** Content Description, Structure Set Label, Series Description, Content Label. */
const LABELS = ['00700081', '30060002', '0008103E', '00700080'];
/** Presentation Creation Date, Structure Set Date, Content Date, Series Date. */
const DATES = ['00700082', '30060008', '00080023', '00080021'];
/** Content Creator's Name, Reviewer Name, Operators' Name. */
const PEOPLE = ['00700084', '300E0008', '00081070'];
/** Manufacturer's Model Name, Manufacturer. */
const MAKERS = ['00081090', '00080070'];

export function headerOf(instance: Instance): Header {
  const first = (tags: readonly string[]) =>
    tags.map((tag) => text(instance, tag)?.trim()).find((value) => value);
  // Verifying Observer Sequence, Verifying Observer Name.
  const observer = items(instance, '0040A073').map((item) => text(item, '0040A075'))[0];
  const person = first(PEOPLE) ?? observer;
  return {
    uid: instanceUid(instance),
    label: first(LABELS),
    date: first(DATES),
    author: person?.split('^').filter(Boolean).join(' ') || first(MAKERS),
  };
}

/** `other-images`: its patient and its frame of reference may be right, and yet it says nothing about this image. */
export type Misplaced = 'other-patient' | 'other-frame' | 'other-images';

/** True if an object contradicts an image about the patient: in the number, or in name and birth date. */
export function isOfOtherPatient(object: Instance, image: Instance): boolean {
  const own = imageIdentity(image);
  const { outcome, image: named } = compareIdentity(
    {
      id: '',
      name: own.name ?? '',
      mrns: own.number === undefined ? [] : [own.number],
      birthDate: own.birthDate,
    },
    object,
  );
  const isOtherNumber = own.number !== undefined && named.number !== undefined && own.number !== named.number;
  const isOther = own.name === undefined ? false : outcome === 'different';
  return isOtherNumber || isOther;
}

/** Returns why an overlay has no place on an image; undefined if it may have one. */
export function misplaced(
  object: Instance,
  { framesOfReference, instances, mixed }: Pick<Content, 'framesOfReference' | 'instances' | 'mixed'>,
  { metadata, instance }: Target,
): Misplaced | undefined {
  if (isOfOtherPatient(object, metadata)) return 'other-patient';
  if (mixed && instances.has(instance)) return undefined;
  const frame = text(metadata, '00200052');
  if (frame !== undefined && framesOfReference.size > 0)
    return framesOfReference.has(frame) ? undefined : 'other-frame';
  return instances.has(instance) ? undefined : 'other-images';
}
