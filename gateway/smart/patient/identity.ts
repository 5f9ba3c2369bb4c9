import type { PatientIdentity } from '../../../schema/access/access.ts';
import { ownIdentity, patientRecord } from '../../identity/patient-record.ts';

/** Returns the identity in a Patient resource, as the resource alone gives it; undefined for another patient or resource. */
export function identityOf(json: Record<string, unknown>, id: string): PatientIdentity | undefined {
  const record = patientRecord(json, id);
  return record && ownIdentity(record);
}
