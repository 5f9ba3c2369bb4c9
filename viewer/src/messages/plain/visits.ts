import { getLocale } from '../compiled/runtime.js';

/** Plain names of common visits, by their names in SNOMED CT and in FHIR's classes of encounters, in lower case. */
const VISITS = new Map<string, { en: string; es: string }>(
  Object.entries({
    'encounter for check up': { en: 'Check-up', es: 'Revisión' },
    'encounter for check up (procedure)': { en: 'Check-up', es: 'Revisión' },
    'general examination of patient': { en: 'General check-up', es: 'Revisión general' },
    'general examination of patient (procedure)': { en: 'General check-up', es: 'Revisión general' },
    'follow-up encounter': { en: 'Follow-up visit', es: 'Visita de seguimiento' },
    'follow-up encounter (procedure)': { en: 'Follow-up visit', es: 'Visita de seguimiento' },
    'encounter for problem': { en: 'Visit for a problem', es: 'Visita por un problema' },
    'encounter for problem (procedure)': { en: 'Visit for a problem', es: 'Visita por un problema' },
    'encounter for symptom': { en: 'Visit for a symptom', es: 'Visita por un síntoma' },
    'encounter for symptom (procedure)': { en: 'Visit for a symptom', es: 'Visita por un síntoma' },
    'prenatal visit': { en: 'Pregnancy visit', es: 'Visita de embarazo' },
    'emergency room admission': { en: 'Emergency room visit', es: 'Visita a urgencias' },
    'emergency room admission (procedure)': { en: 'Emergency room visit', es: 'Visita a urgencias' },
    ambulatory: { en: 'Visit without a stay', es: 'Visita sin ingreso' },
    'inpatient encounter': { en: 'Hospital stay', es: 'Estancia en el hospital' },
    emergency: { en: 'Emergency room visit', es: 'Visita a urgencias' },
    'home health': { en: 'Visit at home', es: 'Visita en casa' },
    virtual: { en: 'Visit by phone or video', es: 'Visita por teléfono o vídeo' },
  }),
);

/** Returns the plain name of a visit; undefined if no table has it. */
export function plainVisit(title: string): string | undefined {
  return VISITS.get(title.toLowerCase().trim())?.[getLocale()];
}
