import type { WindowPreset } from '../../domain/grey/window-presets.ts';
import { m } from '../../messages/compiled/messages.js';

const NAMES: Record<string, () => string> = {
  stored: m.windowStored,
  full: m.windowFull,
  'ct-soft-tissue': m.windowSoftTissue,
  'ct-lung': m.windowLung,
  'ct-bone': m.windowBone,
  'ct-brain': m.windowBrain,
  'ct-stroke': m.windowStroke,
  'ct-liver': m.windowLiver,
  'ct-angio': m.windowAngio,
};

/** Returns the name of a window: `Lung`, `SUV 0–7`, or the image's own word for it; its number if it has none. */
export function windowWords({ id, explanation, nth }: WindowPreset): string {
  if (explanation !== undefined) return m.windowOfImage({ explanation });
  if (nth) return m.windowOfImageNumber(nth);
  const [kind, value] = id.split('-');
  if (kind === 'suv') return m.windowSuv({ most: value! });
  return NAMES[id]?.() ?? id;
}
