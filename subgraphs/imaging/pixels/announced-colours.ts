import { Fault } from '../../../schema/fault/fault.ts';
import type { DecodedFrame, Samples } from './codecs/decoded-frame.ts';
import type { PixelDescription } from '../dicom/pixel-description.ts';
import { decodedInterpretation } from './codecs/samples.ts';

/**
 * Converts frames that are sent without their data set. Clients read them by the metadata, which are those of the
 * stored object, so samples must match these (PS3.3 §C.7.6.3.1.2 and §C.7.6.3.1.3). YBR_ICT and YBR_RCT exist only in
 * JPEG 2000 streams: clients expect RGB for them, as every decoder gives (PS3.5 §8.2.4).
 */

/**
 * Returns the frame in the colours that the data set announces.
 * @param pixels of the stored object
 * @throws Fault `not_acceptable` when the colours cannot be converted
 */
export function inAnnouncedColours(frame: DecodedFrame, pixels: PixelDescription): DecodedFrame {
  const announced = decodedInterpretation(pixels.photometricInterpretation);
  const { photometricInterpretation: found } = frame;
  if (found === announced) return frame;
  if (found === 'RGB' && announced === 'YBR_FULL')
    return { ...frame, photometricInterpretation: announced, samples: ybrFull(frame) };
  throw new Fault(
    'not_acceptable',
    `The frames hold ${found} and cannot be converted to the ${announced} of their metadata. Retrieve them as stored.`,
  );
}

/** Tells whether two pixels of a row share their chroma. */
export function sharesChroma({ photometricInterpretation }: PixelDescription): boolean {
  return photometricInterpretation.endsWith('_422');
}

/**
 * Returns samples, given colour by pixel, in the order of native pixels of this description: by pixel, by plane, or
 * Y Y Cb Cr for two pixels.
 * @throws Fault `not_acceptable` for rows of an odd number of pixels that share chroma
 */
export function inAnnouncedOrder(samples: Samples, pixels: PixelDescription): Samples {
  if (sharesChroma(pixels)) return shareChroma(samples, pixels.columns);
  return pixels.planarConfiguration === 1 ? byPlane(samples, pixels.samplesPerPixel) : samples;
}

/** Converts RGB to YBR by CCIR 601 with full range. */
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
