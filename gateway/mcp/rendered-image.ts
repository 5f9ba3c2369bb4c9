import { z } from 'zod';
import { UID } from '../../schema/dicom/dicom.ts';
import { Fault } from '../../schema/fault/fault.ts';
import { parseAccept } from '../../schema/http/media-ranges.ts';
import { argumentsOf, toolOf } from './tool.ts';

const uid = z.string().regex(UID, 'must be a UID: digits and dots, at most 64 characters');
/** Largest picture in bytes, as the protocol sends it in text. */
const MOST_BYTES = 4 * 1024 * 1024;

/** Gives a picture of an image, by the render core of WADO-RS (SM-20, DW-8). */
export const renderedImage = toolOf({
  name: 'rendered_image',
  title: 'Show an image',
  description:
    'Gives a picture of one image of a study, as a viewer shows it. Without a series or instance it shows one that stands ' +
    'for the study or series. UIDs: the id of an ImagingStudy, series { uid } and series { instance { uid } } of `query`. ' +
    'A picture is smaller than the stored image and has fewer grey levels: it is for orientation, not for diagnosis.',
  input: argumentsOf({
    study: uid.describe('Study Instance UID: the id of an ImagingStudy'),
    series: uid.optional().describe('Series Instance UID'),
    instance: uid.optional().describe('SOP Instance UID; give its series too'),
    frame: z.int().min(1).optional().describe('Number of a frame, from 1; give its instance too'),
    size: z.int().min(16).max(1024).default(512).describe('Largest width and height, in pixels'),
    window: argumentsOf({ center: z.number(), width: z.number().positive() })
      .optional()
      .describe('Grey levels to show, in Hounsfield units for CT. Without it: as the image says'),
    format: z.enum(['jpeg', 'png']).default('jpeg').describe('png is without loss, and larger'),
  }),
  async run({ study, series, instance, frame, size, window, format }, call) {
    if (instance !== undefined && series === undefined) {
      throw new Fault('invalid_request', 'Give the series of the instance too.');
    }
    if (frame !== undefined && instance === undefined) {
      throw new Fault('invalid_request', 'Give the instance and the series of the frame too.');
    }
    const mimeType = `image/${format}`;
    const query = new URLSearchParams({ viewport: `${size},${size}` });
    if (window) query.set('window', `${window.center},${window.width},linear-exact`);
    const target = { studyUid: study, seriesUid: series, instanceUid: instance };
    const frames = frame === undefined ? undefined : [frame];
    const { body } = await call.picture({ target, frames, query, accept: parseAccept(mimeType) });
    if (!(body instanceof Uint8Array)) throw new Fault('not_acceptable', 'The object has no picture.');
    if (body.length > MOST_BYTES) {
      throw new Fault('too_large', 'The picture has too many bytes. Ask for a smaller size, or for jpeg.');
    }
    const shown = { study, series, instance, frame, mimeType, bytes: body.length };
    return {
      content: [
        { type: 'image', data: Buffer.from(body).toString('base64'), mimeType },
        { type: 'text', text: JSON.stringify(shown) },
      ],
    };
  },
});
