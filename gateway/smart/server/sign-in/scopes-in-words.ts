import type { Permission } from '../../../../schema/access/scopes.ts';
import { parseScopes } from '../../../../schema/access/scopes.ts';

const DATA: Record<string, string> = {
  '*': 'everything in the record',
  Patient: 'name, birth date and contact details',
  ImagingStudy: 'images: X-rays, CT, MR and other studies',
  DiagnosticReport: 'reports on images and laboratory tests',
  Observation: 'measurements and test results',
  Condition: 'health problems and diagnoses',
  MedicationRequest: 'prescribed medicines',
  MedicationStatement: 'medicines taken',
  AllergyIntolerance: 'allergies',
  Immunization: 'vaccinations',
  Procedure: 'operations and procedures',
  Encounter: 'visits and stays',
  DocumentReference: 'notes and documents',
  ServiceRequest: 'orders and referrals',
  CarePlan: 'care plans',
  CareTeam: 'who is in the care team',
  Coverage: 'insurance',
  Device: 'implants and devices',
  AuditEvent: 'who has looked at the record',
};

const OTHERS: Record<string, string> = {
  fhirUser: 'Who you are in the record',
  profile: 'Your name',
  offline_access: 'Keep this access when you are not using the app',
  online_access: 'Keep this access while you are signed in',
};

/** Describes a scope that the user may refuse; undefined for one that gives no data (`openid`, `launch`). */
export function inWords(scope: string): string | undefined {
  if (Object.hasOwn(OTHERS, scope)) return OTHERS[scope];
  const [permission] = parseScopes(scope);
  return permission && sentence(permission);
}

function sentence({ level, type, interactions, parameters }: Permission): string {
  const read = /[rs]/.test(interactions);
  const write = /[cud]/.test(interactions);
  const verb = read && write ? 'See and change' : write ? 'Change' : 'See';
  const data = DATA[type] ?? `${type.replace(/([a-z])([A-Z])/g, '$1 $2').toLowerCase()} entries`;
  const whose = level === 'user' ? ', of every patient open to you' : '';
  const only = parameters?.map(([name, value]) => `${name} ${value.split('|').at(-1)}`).join(' and ');
  return `${verb} ${data}${whose}${only ? ` (only where ${only})` : ''}`;
}
