/** Parts of which DICOM objects are put together: attributes, codes (PS3.3 §8.8) and content items (PS3.3 §C.17.3). */
import { number } from '../instance.ts';
import type { Attribute, Instance } from '../instance.ts';
import type { FrameName } from '../study.ts';

export type Coded = readonly [value: string, scheme: string, meaning: string];

export const dcm = (value: string, meaning: string): Coded => [value, 'DCM', meaning];
export const sct = (value: string, meaning: string): Coded => [value, 'SCT', meaning];

export const of = (vr: string, ...Value: readonly unknown[]): Attribute => ({ vr, Value });
export const sequence = (...items: readonly Instance[]): Attribute => ({ vr: 'SQ', Value: items });

export function coded([value, scheme, meaning]: Coded): Attribute {
  return sequence({
    '00080100': of('SH', value),
    '00080102': of('SH', scheme),
    '00080104': of('LO', meaning),
  });
}

/** A content item; its relationship is that to the one above. */
export interface Item {
  type: 'CODE' | 'CONTAINER' | 'IMAGE' | 'NUM' | 'PNAME' | 'SCOORD' | 'TEXT' | 'UIDREF';
  as?: 'CONTAINS' | 'HAS CONCEPT MOD' | 'HAS OBS CONTEXT' | 'INFERRED FROM' | 'SELECTED FROM';
  name?: Coded;
  /** Of its type. */
  values?: Instance;
  below?: readonly Instance[];
}

export function item({ type, as = 'CONTAINS', name, values, below = [] }: Item): Instance {
  return { '0040A010': of('CS', as), ...root({ type, name, values, below }) };
}

/** Returns the content of a document: the item that is below none. */
export function root({ type, name, values, below = [] }: Omit<Item, 'as'>): Instance {
  return {
    '0040A040': of('CS', type),
    ...(name && { '0040A043': coded(name) }),
    ...values,
    ...(below.length > 0 && { '0040A730': sequence(...below) }),
  };
}

/** Returns a container. @param template of PS3.16, that its content follows */
export function container(name: Coded, below: readonly Instance[], template?: string): Omit<Item, 'as'> {
  const follows = template && {
    '0040A504': sequence({ '00080105': of('CS', 'DCMR'), '0040DB00': of('CS', template) }),
  };
  return { type: 'CONTAINER', name, values: { '0040A050': of('CS', 'SEPARATE'), ...follows }, below };
}

export const codeItem = (as: Item['as'], name: Coded, value: Coded): Instance =>
  item({ type: 'CODE', as: as ?? 'CONTAINS', name, values: { '0040A168': coded(value) } });

/** An image, with the metadata of the frame. */
export interface OfImage {
  image: FrameName;
  metadata: Instance;
}

/** Returns a reference to an image (PS3.3 table 10-3); to a frame of it, if it has several. */
export function reference({ image, metadata }: OfImage): Instance {
  const hasFrames = (number(metadata, '00280008') ?? 1) > 1;
  return {
    '00081150': of('UI', ...(metadata['00080016']?.Value ?? [])),
    '00081155': of('UI', image.instance),
    ...(hasFrames && { '00081160': of('IS', image.frame) }),
  };
}

export const imageItem = (as: 'CONTAINS' | 'SELECTED FROM', on: OfImage): Instance =>
  item({ type: 'IMAGE', as, values: { '00081199': sequence(reference(on)) } });

/** Returns the objects of images by series, each once (PS3.3 §C.17.2.1). */
export function bySeries(all: readonly OfImage[]): Attribute {
  const series = new Map<string, Map<string, Instance>>();
  for (const one of all) {
    const { '00081160': _frames, ...object } = reference(one);
    const objects = series.get(one.image.series) ?? new Map<string, Instance>();
    series.set(one.image.series, objects.set(one.image.instance, object));
  }
  return sequence(
    ...[...series].map(([uid, objects]) => ({
      '0020000E': of('UI', uid),
      '00081199': sequence(...objects.values()),
    })),
  );
}
