/** The shipped demo tenant on a real port, for clients that were written by others. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ANALYST_SCOPE } from '../../../viewer/src/playground/sign-in/scopes.ts';
import { ANALYST } from '../../demo/population/environment.ts';
import { SmartApp } from '../../smart/server/test/smart-app.ts';
import { Browser, keyPair, REDIRECT } from '../../smart/server/test/started.ts';
import { freePort } from '../setup/free-port.ts';
import { buildTestGateway, type DemoData, type TestGateway } from '../test-gateway.ts';

const SECRET = 'a secret of this test, long enough';

export interface DemoGateway extends TestGateway {
  /** `http://127.0.0.1:port/demo`. */
  tenant: string;
  /** Client and secret for `client_credentials`; its policy has all patients of the demonstration. */
  analyst: { id: string; secret: string };
  /** Returns a new token of that client. */
  token(): Promise<string>;
  /** Returns a new token of the analyst who signs in at the playground by one click. */
  analystToken(): Promise<string>;
}

/**
 * @param app the address to which a sign-in of the client `viewer` returns
 * @param now the clock, in milliseconds since the epoch
 */
export async function startDemoGateway(app = 'http://127.0.0.1:9/app', now = Date.now): Promise<DemoGateway> {
  const options = { port: await freePort(), now };
  const user = `http://127.0.0.1:${options.port}/demo/fhir/${ANALYST}`;
  const files = (data: DemoData) => ({ demo: demoTenant(data, app, user) });
  const gateway = await buildTestGateway(files, undefined, undefined, options);
  const tenant = `${gateway.baseUrl}/demo`;
  const analyst = { id: 'demo-analyst', secret: SECRET };
  return {
    ...gateway,
    tenant,
    analyst,
    async token() {
      const answer = await fetch(`${tenant}/oauth/token`, {
        method: 'POST',
        headers: {
          authorization: `Basic ${Buffer.from(`${analyst.id}:${encodeURIComponent(SECRET)}`).toString('base64')}`,
        },
        body: new URLSearchParams({ grant_type: 'client_credentials', scope: 'system/*.rs' }),
      });
      const { access_token } = (await answer.json()) as { access_token: string };
      return access_token;
    },
    async analystToken() {
      const issuer = `${tenant}/oauth`;
      const keys = { ES384: await keyPair('ES384'), RS384: await keyPair('RS384') };
      const playground = new SmartApp({ base: tenant, issuer, keys }, 'playground');
      const asked = await playground.url(ANALYST_SCOPE, { login_hint: ANALYST });
      const { url } = await new Browser(issuer).open(asked);
      return (await playground.exchange(new URL(url))).access_token;
    },
  };
}

/** Reads `gateway/tenants/demo.json`, with the values that the process sets at its start. */
function demoTenant({ images, patients }: DemoData, app: string, analyst: string): Record<string, unknown> {
  const environment: Record<string, string> = {
    VIEWER_URL: app,
    DEMO_PLAYGROUND_URL: REDIRECT,
    DEMO_SECRET: SECRET,
    DEMO_IMAGES: images,
    DEMO_ANALYST: analyst,
  };
  const text = readFileSync(join(import.meta.dirname, '../../tenants/demo.json'), 'utf8');
  const tenant = JSON.parse(text, (_key, value: unknown) => {
    const name = (value as { $env?: string } | null)?.$env;
    return name === undefined ? value : environment[name];
  }) as Record<string, unknown>;
  return { ...tenant, clinical: { type: 'store', path: patients } };
}
