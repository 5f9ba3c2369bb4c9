import { Fault } from '../../../schema/fault/fault.ts';

/** What was read; undefined for what the caller may not read or does not exist. A failing record still fails. */
export async function readIfAllowed<T>(resource: Promise<T>): Promise<T | undefined> {
  return resource.catch((error: unknown) => {
    if (error instanceof Fault && [403, 404].includes(error.status)) return undefined;
    throw error;
  });
}
