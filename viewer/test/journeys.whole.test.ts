/** Whole journeys through the real page, with the demonstration behind it: by mouse, by touch, by keys. */
import { test } from 'vitest';
import { isAccessible } from './journeys/accessibility.ts';
import { withCt, withFilms, withOtherModalities } from './journeys/desktop.ts';
import { JourneySystem } from './journeys/journey.ts';
import { byKeys } from './journeys/keyboard.ts';
import { byTouch } from './journeys/phone.ts';

const system = new JourneySystem({ timeout: 120_000 });

test.each([
  ['with the mouse: one request, the frame of the server, an earlier study, a report, files, planes', withCt],
  ['with the mouse: films, an electrocardiogram and a PDF', withFilms],
  ['with the mouse: an image of each other modality', withOtherModalities],
  ['with a phone, by touch: patient, timeline, stage, report, back', byTouch],
  ['with keys only: a study, its image, help, a length', byKeys],
  ['axe finds nothing on any page, in light, dark and forced colours', isAccessible],
] as const)('%s', (_, journey) => journey(system), 150_000);
