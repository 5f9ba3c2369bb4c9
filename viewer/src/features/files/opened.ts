/** Opens files of measurements, key images and other objects that are drawn over images. */
import { items } from '../../../../schema/dicom/dicom.ts';
import { readPart10, type FileRefusal } from '../../domain/dicom/part10-reader.ts';
import { placesOf } from '../../domain/documents/sr-item.ts';
import { isOurs } from '../../domain/files/document.ts';
import { keyImagesIn, type RestoredKey } from '../../domain/files/key-selection.ts';
import { measurementsIn, type Restored } from '../../domain/files/measurement-report.ts';
import { agreementOf, type Agreement } from '../../domain/files/same-patient.ts';
import { startsInverted } from '../../domain/grey/inverted.ts';
import { text, type Instance } from '../../domain/instance.ts';
import { patientPointsOf, type Measurement } from '../../domain/measure/measurement.ts';
import { sizeOf } from '../../domain/measure/sizes.ts';
import { readerOf } from '../../domain/overlays/readers.ts';
import { compareIdentity } from '../../domain/record/identity.ts';
import type { KeyImage } from '../../domain/series/key-image.ts';
import { hasImages } from '../../domain/series/series-content.ts';
import { frameId, type Study } from '../../domain/study.ts';
import { broughtTo } from '../../state/stage/brought.svelte.ts';
import { keyImagesOf } from '../../state/stage/key-images.svelte.ts';
import { measurementsOf } from '../../state/stage/measurements.svelte.ts';
import type { Page } from '../../ui/context.ts';
import { imagesNamed, stacksIn, type FoundImage } from './found-images.ts';

/**
 * The end of a file. `measurements`, `key-images`: they are back, so many; `overlay`: it is drawn with those of the archive;
 * `known`: it was there already; `nothing`: it has nothing to draw; `trouble`: the images that it is about did not arrive.
 */
export type Outcome = { file: string } & (
  | {
      kind: 'measurements' | 'key-images';
      count: number;
      /** Those of images that are not there. */
      missing: number;
    }
  | { kind: 'overlay' | 'known' | 'nothing' | 'other-study' | 'large' | 'trouble' }
  | { kind: FileRefusal | Exclude<Agreement, 'same'> }
);

const MOST_BYTES = 256 * 1024 * 1024;

/** Opens a file, if its study is one of the record and its patient is that of the images. It never throws. */
export async function openFile(page: Page, file: File): Promise<Outcome> {
  const { name } = file;
  try {
    if (file.size > MOST_BYTES) return { file: name, kind: 'large' };
    const reading = readPart10(new Uint8Array(await file.arrayBuffer()));
    if ('refused' in reading) return { file: name, kind: reading.refused };
    return { file: name, ...(await open(page, reading.instance)) };
  } catch {
    return { file: name, kind: 'trouble' };
  }
}

type Opened = Outcome extends infer One ? (One extends Outcome ? Omit<One, 'file'> : never) : never;

async function open(page: Page, object: Instance): Promise<Opened> {
  const { record } = page.record;
  const study = record?.studies.find(({ uid }) => uid === text(object, '0020000D'));
  if (!record || !study) {
    const isOther = record && compareIdentity(record.person, object).outcome === 'different';
    return { kind: isOther ? 'other-patient' : 'other-study' };
  }
  const agreement = agreementOf(object, await imageOf(page, study, object), record.person);
  // While the image came, another record may have been opened.
  if (page.record.record !== record) return { kind: 'other-study' };
  if (agreement !== 'same') return { kind: agreement };
  if (isOurs(object)) {
    const [measured, keyed] = [measurementsIn(object), keyImagesIn(object)];
    if (measured.length > 0) return restore(page, measured, 'measurements');
    if (keyed.length > 0) return restore(page, keyed, 'key-images');
  }
  if (!readerOf(object)) return { kind: 'nothing' };
  return {
    kind: broughtTo(page.workspace).add({ study: study.uid, instance: object }) ? 'overlay' : 'known',
  };
}

/** Returns an image that an object is about, or another one of its study. */
async function imageOf(page: Page, study: Study, object: Instance): Promise<Instance | undefined> {
  const named = [
    ...[...placesOf(object).values()].map(({ series }) => series),
    ...items(object, '00081115').map((one) => text(one, '0020000E')),
  ];
  const isNamed = ({ uid }: { uid: string }) => named.includes(uid);
  const images = study.series.filter(hasImages);
  const series = images.find(isNamed) ?? images[0];
  const stacks = series ? await stacksIn(page, { study: study.uid, series: series.uid }) : [];
  return stacks[0]?.frames[0]?.metadata;
}

/** Puts marks back on their images. */
async function restore(
  page: Page,
  marks: readonly (Restored | RestoredKey)[],
  kind: 'measurements' | 'key-images',
): Promise<Opened> {
  const { record } = page.record;
  const found = await imagesNamed(
    page,
    marks.map(({ image }) => image),
  );
  if (page.record.record !== record) return { kind: 'other-study' };
  const there = marks.flatMap((mark) => {
    const at = found.get(frameId(mark.image));
    return at ? [{ mark, at }] : [];
  });
  const count =
    kind === 'measurements'
      ? measurementsOf(page.workspace).restore(
          there.flatMap(({ mark, at }) => ('points' in mark ? [measurementOf(mark, at)] : [])),
        )
      : keyImagesOf(page.workspace).restore(
          there.flatMap(({ mark, at }) => ('title' in mark ? [keyImageOf(mark, at)] : [])),
        );
  const missing = marks.length - there.length;
  return count === 0 && missing === 0 ? { kind: 'known' } : { kind, count, missing };
}

function measurementOf({ image, ...restored }: Restored, { stack, index }: FoundImage): Measurement {
  const { metadata } = stack.frames[index]!;
  const { kind, points } = restored;
  return {
    ...restored,
    frame: frameId(image),
    patientPoints: patientPointsOf(points, metadata),
    size: sizeOf(kind, points, metadata),
    place: { series: text(metadata, '00200011'), stack: stack.key, image: index + 1 },
  };
}

function keyImageOf(restored: RestoredKey, { stack, index }: FoundImage): KeyImage {
  return {
    ...restored,
    number: index + 1,
    window: undefined,
    inverted: startsInverted(stack.frames[index]!.metadata),
    camera: { zoom: 1, rotation: 0, flipped: false, centre: undefined },
    overlays: true,
  };
}
