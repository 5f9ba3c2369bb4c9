/** Compares the patient of an object in a file with the patient of the images that it is about. */
import type { Instance } from '../instance.ts';
import { isOfOtherPatient } from '../overlays/header.ts';
import { compareIdentity, imageIdentity } from '../record/identity.ts';
import type { Person } from '../record/record.ts';

/** `nobody`: the object does not say whose it is. */
export type Agreement = 'same' | 'other-patient' | 'nobody';

/**
 * Compares with the patient whom the images name, and with that of the record where they name nobody. Something has to agree,
 * and nothing may contradict.
 * @param image undefined for a study without images
 */
export function agreementOf(object: Instance, image: Instance | undefined, person: Person): Agreement {
  const { name, number, birthDate } = image ? imageIdentity(image) : {};
  const isNamed = image !== undefined && (name !== undefined || number !== undefined);
  const mrns = number === undefined ? [] : [number];
  const owner = isNamed ? { id: '', name: name ?? '', mrns, birthDate } : person;
  const { outcome, agrees } = compareIdentity(owner, object);
  const isOther = isNamed ? isOfOtherPatient(object, image) : outcome === 'different';
  if (isOther) return 'other-patient';
  return agrees.length > 0 ? 'same' : 'nobody';
}
