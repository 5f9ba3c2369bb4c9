/** The reach of a token in plain words, and as scopes (SMART App Launch 2.2 §3.0.2). */

export type Whose = 'patient' | 'user';

/** Parts of a record that can be asked for alone. */
export const PARTS = {
  images: { name: 'Images', types: ['ImagingStudy', 'Endpoint'] },
  reports: { name: 'Reports and documents', types: ['DiagnosticReport', 'DocumentReference'] },
  results: { name: 'Results and vital signs', types: ['Observation'] },
  conditions: { name: 'Problems and allergies', types: ['Condition', 'AllergyIntolerance'] },
  treatment: {
    name: 'Medications, immunizations, procedures',
    types: ['MedicationRequest', 'Immunization', 'Procedure'],
  },
  visits: { name: 'Visits', types: ['Encounter'] },
} as const;
export type Part = keyof typeof PARTS;

/** @param parts empty: everything */
export function scopesFor(whose: Whose, parts: readonly Part[]): string {
  const types = parts.length === 0 ? ['*'] : ['Patient', ...parts.flatMap((part) => PARTS[part].types)];
  const launch = whose === 'patient' ? ['launch/patient'] : [];
  return [...launch, ...types.map((type) => `${whose}/${type}.rs`), 'online_access'].join(' ');
}

/** Scopes of an analyst. The policy names the user by `fhirUser`, so the token must have it. */
export const ANALYST_SCOPE = `openid fhirUser ${scopesFor('user', [])}`;

const LEVELS: Record<string, string> = {
  patient: 'one patient',
  user: 'all patients that the user may see',
  system: 'all patients that the program may see',
};

/** Says what granted scopes open: `one patient: everything`, `one patient: Patient, Observation`. */
export function scopesInWords(scope: string): string[] {
  const byLevel = new Map<string, Set<string>>();
  for (const one of scope.split(' ')) {
    const [, level, type] = /^(patient|user|system)\/([A-Za-z]+|\*)\.\w+/.exec(one) ?? [];
    if (level && type) byLevel.set(level, (byLevel.get(level) ?? new Set()).add(type));
  }
  return [...byLevel].map(
    ([level, types]) => `${LEVELS[level]}: ${types.has('*') ? 'everything' : [...types].join(', ')}`,
  );
}
