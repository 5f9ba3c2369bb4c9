import { Fault } from '../../../schema/fault/fault.ts';
import type { DecodedFrame, Samples } from './codecs/decoded-frame.ts';
import type { PixelDescription } from '../dicom/pixel-description.ts';
import { decodedInterpretation } from './codecs/samples.ts';

/**
 * Frames that are given without their data set: whoever reads them goes by the metadata, which are those of the object
 * as it is stored. So the samples are brought to what those say (PS3.3 §C.7.6.3.1.2 and §C.7.6.3.1.3). Of YBR_ICT and
 * YBR_RCT, which only a JPEG 2000 stream can be in, readers expect what every decoder gives, RGB (PS3.5 §8.2.4).
 */

/**
 * The frame in the colours that the data set announces.
 * @param pixels of the object as it is stored
 * @throws Fault `not_acceptable` where they cannot be had
 */
export function inAnnouncedColours(frame: DecodedFrame, pixels: PixelDescription): DecodedFrame {
  const announced = decodedInterpretation(pixels.photometricInterpretation);
  const { photometricInterpretation: found } = frame;
  if (found === announced) return frame;
  if (found === 'RGB' && announced === 'YBR_FULL')
    return { ...frame, photometricInterpretation: announced, samples: ybrFull(frame) };
  throw new Fault(
    'not_acceptable',
    `The frames hold ${found}, which is not made into the ${announced} of their metadata; retrieve them as stored.`,
  );
}

/** Whether two pixels of a row share their chroma. */
export function sharesChroma({ photometricInterpretation }: PixelDescription): boolean {
  return photometricInterpretation.endsWith('_422');
}

/**
 * Samples, colour by pixel, in the order in which native pixels of this description lie: Y Y Cb Cr for two pixels, or
 * by plane.
 * @throws Fault `not_acceptable` for rows that cannot be shared out by twos
 */
export function inAnnouncedOrder(samples: Samples, pixels: PixelDescription): Samples {
  if (sharesChroma(pixels)) return shareChroma(samples, pixels.columns);
  return pixels.planarConfiguration === 1 ? byPlane(samples, pixels.samplesPerPixel) : samples;
}

/** CCIR 601 with the full range. */
function ybrFull({ samples, bitsStored }: DecodedFrame): Samples {
  const middle = 2 ** (bitsStored - 1);
  const most = 2 ** bitsStored - 1;
  const stored = (value: number) => Math.min(most, Math.max(0, Math.round(value)));
  const ybr = samples.slice();
  for (let i = 0; i < samples.length; i += 3) {
    const [r, g, b] = [samples[i]!, samples[i + 1]!, samples[i + 2]!];
    ybr[i] = stored(0.299 * r + 0.587 * g + 0.114 * b);
    ybr[i + 1] = stored(middle - 0.168736 * r - 0.331264 * g + 0.5 * b);
    ybr[i + 2] = stored(middle + 0.5 * r - 0.418688 * g - 0.081312 * b);
  }
  return ybr;
}

function shareChroma(full: Samples, columns: number): Samples {
  if (columns % 2)
    throw new Fault(
      'not_acceptable',
      'Rows of an odd number of pixels cannot be given in the YBR_FULL_422 of their metadata; retrieve them as stored.',
    );
  const shared = full.slice(0, (full.length / 3) * 2);
  for (let from = 0, to = 0; from < full.length; from += 6, to += 4) {
    shared[to] = full[from]!;
    shared[to + 1] = full[from + 3]!;
    shared[to + 2] = Math.round((full[from + 1]! + full[from + 4]!) / 2);
    shared[to + 3] = Math.round((full[from + 2]! + full[from + 5]!) / 2);
  }
  return shared;
}

function byPlane(samples: Samples, samplesPerPixel: number): Samples {
  const planes = samples.slice();
  const pixels = samples.length / samplesPerPixel;
  for (let i = 0; i < samples.length; i++)
    planes[(i % samplesPerPixel) * pixels + Math.floor(i / samplesPerPixel)] = samples[i]!;
  return planes;
}
