import type { Kind } from '../../domain/measure/kinds.ts';
import { m } from '../../messages/compiled/messages.js';

/** Names of the kinds of measurements. */
export const KIND_NAMES: Readonly<Record<Kind, () => string>> = {
  length: m.measureLength,
  diameters: m.measureDiameters,
  angle: m.measureAngle,
  cobb: m.measureCobb,
  rectangle: m.measureRectangle,
  ellipse: m.measureEllipse,
  freehand: m.measureFreehand,
  probe: m.measureProbe,
  arrow: m.measureArrow,
};
