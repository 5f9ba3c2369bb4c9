import { Fault } from '../../../schema/fault/fault.ts';

/** Returns a resource that is being read; undefined when it is missing or forbidden. Other faults are thrown. */
export async function readIfAllowed<T>(resource: Promise<T>): Promise<T | undefined> {
  return resource.catch((error: unknown) => {
    if (error instanceof Fault && [403, 404].includes(error.status)) return undefined;
    throw error;
  });
}
