/** Finds the imaging server of a patient: SMART Imaging Access, Discovery. */
import { present, type List, type Maybe } from '../fhir/shapes.ts';
import { Trouble } from '../trouble.ts';
import type { Asking } from './search.ts';

/** A base with this capability has ImagingStudy. */
const IMAGING = 'smart-imaging-access';

interface SmartConfiguration {
  capabilities?: List<string>;
  associated_endpoints?: List<{ url?: Maybe<string>; capabilities?: List<string> }>;
}

/**
 * Returns the FHIR base that has the ImagingStudy resources: an associated endpoint that says so, or else the base itself.
 * A server without a SMART configuration may have them too.
 * @throws Trouble if the server does not answer; the reason of the signal
 */
export async function imagingBase({ base, transport, signal }: Asking): Promise<string> {
  let smart: SmartConfiguration;
  try {
    const url = `${base}/.well-known/smart-configuration`;
    smart = ((await transport.json(url, { accept: 'application/json', signal })) ?? {}) as SmartConfiguration;
  } catch (error) {
    if (error instanceof Trouble && !error.passes) return base;
    throw error;
  }
  if (present(smart.capabilities).includes(IMAGING)) return base;
  const other = present(smart.associated_endpoints).find(({ capabilities }) =>
    present(capabilities).includes(IMAGING),
  );
  return other?.url && URL.canParse(other.url) ? other.url.replace(/\/+$/, '') : base;
}
