import { text, type Instance } from '../../domain/instance.ts';
import { acquired } from '../../domain/space/image-facts.ts';

/** Returns the name of a file from words; what is no letter or number is a hyphen. */
export function fileName(words: readonly (string | undefined)[], extension: string): string {
  const name = words
    .map((word) => (word ?? '').replaceAll(/[^\p{L}\p{N}]+/gu, '-').replaceAll(/^-|-$/g, ''))
    .filter((word) => word !== '')
    .join('-');
  return `${name || 'images'}.${extension}`;
}

/** Returns the words by which an image, or its series, is known without its patient: modality, date, series and number. */
export function wordsOf(metadata: Instance, image?: number): (string | undefined)[] {
  const series = text(metadata, '00200011');
  return [
    text(metadata, '00080060'),
    acquired(metadata).date,
    series && `series ${series}`,
    image === undefined ? undefined : `image ${image}`,
  ];
}
