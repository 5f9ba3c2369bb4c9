import type { SuvGap } from '../../domain/grey/suv.ts';
import { m } from '../../messages/compiled/messages.js';

const GAPS: Record<SuvGap, () => string> = {
  units: m.suvGapUnits,
  corrections: m.suvGapCorrections,
  weight: m.suvGapWeight,
  dose: m.suvGapDose,
  'half-life': m.suvGapHalfLife,
  'injection-time': m.suvGapInjectionTime,
  'scan-time': m.suvGapScanTime,
};

/** Says why there is no SUV. */
export function suvGapWords(gap: SuvGap): string {
  return m.suvNotShown({ reason: GAPS[gap]() });
}
