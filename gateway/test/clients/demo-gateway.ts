/** The shipped demo tenant on a real port, for clients that were written by others. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { buildTestGateway, type DemoData, type TestGateway } from '../test-gateway.ts';
import { freePort } from '../setup/free-port.ts';

const SECRET = 'a secret of this test, long enough';

export interface DemoGateway extends TestGateway {
  /** `http://127.0.0.1:port/demo`. */
  tenant: string;
  /** Client and secret for `client_credentials`; its policy has all patients of the demonstration. */
  analyst: { id: string; secret: string };
  /** Returns a new token of that client. */
  token(): Promise<string>;
}

/**
 * @param app the address to which a sign-in of the client `viewer` returns
 * @param now the clock, in milliseconds since the epoch
 */
export async function startDemoGateway(app = 'http://127.0.0.1:9/app', now = Date.now): Promise<DemoGateway> {
  const options = { port: await freePort(), now };
  const files = (data: DemoData) => ({ demo: demoTenant(data, app) });
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
  };
}

/** Reads `gateway/tenants/demo.json`, with the values that the process sets at its start. */
function demoTenant({ images, patients }: DemoData, app: string): Record<string, unknown> {
  const environment: Record<string, string> = {
    VIEWER_URL: app,
    DEMO_PLAYGROUND_URL: 'http://127.0.0.1:9/playground',
    DEMO_SECRET: SECRET,
    DEMO_IMAGES: images,
  };
  const text = readFileSync(join(import.meta.dirname, '../../tenants/demo.json'), 'utf8');
  const tenant = JSON.parse(text, (_key, value: unknown) => {
    const name = (value as { $env?: string } | null)?.$env;
    return name === undefined ? value : environment[name];
  }) as Record<string, unknown>;
  return { ...tenant, clinical: { type: 'store', path: patients } };
}
