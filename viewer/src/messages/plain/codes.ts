/** Words for codes of FHIR, in both wordings. A code without words of its own stays as it is. */
import { m } from '../compiled/messages.js';

/** The position of a value beside the usual range: by shape in charts. */
export type Flag = 'high' | 'low' | 'abnormal';

/** Of the value set observation-interpretation; normal values have no words, other codes are no judgement of a value. */
const FLAGS = new Map<string, { flag: Flag; words: () => string }>(
  Object.entries({
    H: { flag: 'high', words: m.flagHigh },
    HU: { flag: 'high', words: m.flagVeryHigh },
    HH: { flag: 'high', words: m.flagVeryHigh },
    L: { flag: 'low', words: m.flagLow },
    LU: { flag: 'low', words: m.flagVeryLow },
    LL: { flag: 'low', words: m.flagVeryLow },
    A: { flag: 'abnormal', words: m.flagAbnormal },
    AA: { flag: 'abnormal', words: m.flagVeryAbnormal },
  }),
);

/** Returns the words for the codes of an interpretation: `high`. */
export function flagWords(codes: readonly string[]): string[] {
  return codes.flatMap((code) => FLAGS.get(code)?.words() ?? []);
}

/** Returns the first flag among codes of an interpretation. */
export function flagOf(codes: readonly string[]): Flag | undefined {
  return codes.map((code) => FLAGS.get(code)?.flag).find((flag) => flag !== undefined);
}

const STATUSES = new Map<string, () => string>(
  Object.entries({
    final: m.statusFinal,
    preliminary: m.statusPreliminary,
    partial: m.statusPartial,
    amended: m.statusAmended,
    appended: m.statusAppended,
    corrected: m.statusCorrected,
    registered: m.statusRegistered,
    cancelled: m.statusCancelled,
    unknown: m.statusUnknown,
  }),
);

/** Returns the status of a report in words. */
export function statusWords(status: string): string {
  return STATUSES.get(status)?.() ?? status;
}

/** UCUM codes that do not read as people write them. */
const UNITS = new Map<string, string>(
  Object.entries({
    'mm[Hg]': 'mmHg',
    Cel: '°C',
    '[degF]': '°F',
    '[in_i]': 'in',
    '[lb_av]': 'lb',
    '{score}': '',
    '1': '',
  }),
);

/** Returns a unit as people write it: `10³/µL`. */
export function unitWords(unit: string | undefined): string {
  if (unit === undefined) return '';
  const known = UNITS.get(unit);
  if (known !== undefined) return known;
  return (
    unit
      // An annotation (UCUM §6) says of what; only that of a body surface belongs to the unit.
      .replace('{1.73_m2}', '1.73m2')
      .replace(/\{[^}]*\}/g, '')
      .replace(/10\*(\d)/, (_, power: string) => `10${'⁰¹²³⁴⁵⁶⁷⁸⁹'[Number(power)]!}`)
      .replace(/\[i?u\]/i, 'IU')
      .replace(/\bu(?=[LlgmMI])/, 'µ')
      .replace(/m2\b/, 'm²')
  );
}

const SYSTEMS = new Map<string, string>(
  Object.entries({
    'http://loinc.org': 'LOINC',
    'http://snomed.info/sct': 'SNOMED CT',
    'http://www.nlm.nih.gov/research/umls/rxnorm': 'RxNorm',
  }),
);

/** Returns the name of a code system that clinicians know; undefined for others. */
export function codeSystemName(system: string | undefined): string | undefined {
  return system === undefined ? undefined : SYSTEMS.get(system);
}
