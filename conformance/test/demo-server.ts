/** Our gateway with the demonstration's records and images, behind a proxy that can plant faults. */
import { SmartApp } from '../../gateway/smart/server/test/smart-app.ts';
import { keyPair, REDIRECT } from '../../gateway/smart/server/test/started.ts';
import { DEMO_PATIENT } from '../../gateway/pages/first-request.ts';
import { freePort } from '../../gateway/test/setup/free-port.ts';
import { buildTestGateway } from '../../gateway/test/test-gateway.ts';
import type { Options } from '../options.ts';
import { startFaultProxy, type FaultProxy } from './fault-proxy.ts';

const OTHER_PATIENT = 'demo-maria-alvarez';

export interface DemoServer {
  proxy: FaultProxy;
  /** Every option that a check can need, for the patient of the demonstration. */
  options: Options & { token: string; otherStudy: string };
  close(): Promise<void>;
}

/** Starts gateway and proxy, and signs in as two patients. */
export async function startDemoServer(): Promise<DemoServer> {
  const port = await freePort();
  const proxy = await startFaultProxy(await freePort(), port);
  const gateway = await buildTestGateway(
    ({ images, patients }) => ({
      demo: {
        authorization: {
          type: 'embedded',
          modes: ['app-launch', 'backend-services'],
          clients: [{ client_id: 'public-app', redirect_uris: [REDIRECT] }],
        },
        clinical: { type: 'store', path: patients },
        images: { type: 'folder', path: images, lookup: 'studies-by-mrn' },
      },
    }),
    undefined,
    undefined,
    { port, baseUrl: proxy.url },
  );
  const base = `${proxy.url}/demo`;
  const keys = { ES384: await keyPair('ES384'), RS384: await keyPair('RS384') };
  const tokenOf = async (patient: string, scope: string) => {
    const app = new SmartApp({ base, issuer: `${base}/oauth`, keys });
    return (await app.tokens({ account: `Patient/${patient}`, scope })).access_token;
  };
  const token = await tokenOf(DEMO_PATIENT, 'launch/patient patient/*.rs');
  const answer = await fetch(`${base}/fhir/ImagingStudy`, {
    headers: { authorization: `Bearer ${await tokenOf(OTHER_PATIENT, 'launch/patient patient/*.rs')}` },
  });
  const { entry } = (await answer.json()) as { entry: { resource: { id: string } }[] };
  return {
    proxy,
    options: {
      base: `${base}/fhir`,
      token,
      grant: 'patient',
      headers: {},
      only: [],
      timeout: 20_000,
      narrowToken: await tokenOf(DEMO_PATIENT, 'launch/patient patient/Patient.rs'),
      patient: DEMO_PATIENT,
      otherPatient: OTHER_PATIENT,
      otherStudy: entry[0]!.resource.id,
    },
    async close() {
      await gateway.close();
      await proxy.close();
    },
  };
}
