import { randomBytes } from 'node:crypto';
import type { State } from '../state/state.ts';

/** The context of an EHR when it launches an app (SMART App Launch 2.2 §4.1). */
export interface Launch {
  patient: string;
  encounter?: string;
  /** False when the EHR itself shows the patient. */
  needPatientBanner: boolean;
}

/** The context of one grant, for its tokens and for no others (IA-9). */
export interface Context {
  patient?: string;
  encounter?: string;
  /** Absolute URL. */
  fhirUser?: string;
  needPatientBanner: boolean;
}

/** Lifetime of a launch: an app opens immediately after it. RFC 9700 gives no figure. */
const LAUNCH_SECONDS = 300;

export type LaunchContexts = ReturnType<typeof launchContexts>;

/** Returns the launches and contexts in the tenant's state. */
export function launchContexts(state: State, tenant: string) {
  const launches = state.model(tenant, 'Launch');
  const contexts = state.model(tenant, 'LaunchContext');
  return {
    /** Stores a launch. @returns its opaque id, which the app sends as `launch` */
    async begin(launch: Launch): Promise<string> {
      const id = randomBytes(24).toString('base64url');
      await launches.upsert(id, { extra: { ...launch } }, LAUNCH_SECONDS);
      return id;
    },
    async find(id: string): Promise<Launch | undefined> {
      return (await launches.find(id))?.extra as Launch | undefined;
    },
    end: async (id: string) => void (await launches.destroy(id)),
    /** Stores the context of a grant. @param seconds lifetime of the grant */
    keep: async (grantId: string, context: Context, seconds: number) =>
      void (await contexts.upsert(grantId, { extra: { ...context } }, seconds)),
    async of(grantId: string): Promise<Context | undefined> {
      return (await contexts.find(grantId))?.extra as Context | undefined;
    },
  };
}
