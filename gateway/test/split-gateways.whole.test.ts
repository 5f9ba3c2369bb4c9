/** Two gateways and two imaging processes, one clinical process, and one Redis for all. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, vi } from 'vitest';
import { DEMO_IMAGES } from './setup/demo-images.ts';
import { freePort } from './setup/free-port.ts';
import { startGateway } from './setup/gateway.ts';
import { startRedis } from './setup/redis.ts';
import { longTest } from './setup/usual-run.ts';

const client = { client_id: 'backend', client_secret: 'the secret of a client' };

longTest(
  'two gateways and two imaging processes give each other what they have, and each reports Redis',
  async () => {
    const directory = await mkdtemp(join(tmpdir(), 'tenants-'));
    const authorization = {
      type: 'embedded',
      modes: ['backend-services'],
      clients: [client],
      policy: [{ client_id: client.client_id, patients: ['p1'] }],
    };
    const images = { type: 'folder', path: DEMO_IMAGES, lookup: 'all-studies-on-server' };
    await writeFile(join(directory, 'own.json'), JSON.stringify({ authorization, images }));
    let redis = await startRedis();
    const clinicalPort = await freePort();
    const start = async (role: string[], imagingPort: number, port: number) =>
      startGateway(
        {
          TENANTS_DIR: directory,
          BASE_URL: 'http://localhost',
          PORT: String(port),
          REDIS_URL: redis.url,
          SEALING_KEY: 'a key that all of these processes have',
          CLINICAL_URL: `http://127.0.0.1:${clinicalPort}`,
          IMAGING_URL: `http://127.0.0.1:${imagingPort}`,
        },
        role,
      );
    const pair = async () => {
      const imagingPort = await freePort();
      return Promise.all([
        start(['imaging'], imagingPort, imagingPort),
        start([], imagingPort, await freePort()),
      ]);
    };
    const [clinical, [imagingA, a], [imagingB, b]] = await Promise.all([
      start(['clinical'], 1, clinicalPort),
      pair(),
      pair(),
    ]);
    const processes = [clinical, imagingA, a, imagingB, b];
    try {
      const said = async (one: typeof a) =>
        ((await (await fetch(`${one.url}/health/ready`)).json()) as { sharedState: string }).sharedState;
      const allSay = (word: string) =>
        vi.waitFor(
          async () => expect(await Promise.all(processes.map(said))).toEqual(Array(5).fill(word)),
          10_000,
        );
      await allSay('reachable');

      const form = new URLSearchParams({ ...client, grant_type: 'client_credentials', scope: 'system/*.rs' });
      const issued = await fetch(`${a.url}/own/oauth/token`, { method: 'POST', body: form });
      const { access_token: token } = (await issued.json()) as { access_token: string };
      const get = (one: typeof a, path: string) =>
        fetch(`${one.url}/own/${path}`, { headers: { authorization: `Bearer ${token}` } });
      // The folder of each is read.
      for (const one of [a, b])
        await vi.waitFor(async () => expect((await get(one, 'dicomweb/studies')).status).toBe(200), 60_000);

      const studies = (await (await get(a, 'dicomweb/studies')).json()) as {
        '0020000D': { Value: [string] };
      }[];
      const [uid] = studies[0]!['0020000D'].Value;
      const hits = async () => {
        const text = await (await fetch(`${imagingB.url}/metrics`)).text();
        return Number(/^cache_lookups_total\{cache="shared",result="hit"\} (\d+)$/m.exec(text)?.[1] ?? 0);
      };
      const before = await hits();
      const [first, second] = [
        await (await get(a, `dicomweb/studies/${uid}/metadata`)).text(),
        await (await get(b, `dicomweb/studies/${uid}/metadata`)).text(),
      ];
      expect(second).toBe(first);
      // The owner of the study, and its metadata.
      expect((await hits()) - before).toBeGreaterThanOrEqual(2);
      const seen = async (one: typeof a) =>
        ((await (await get(one, `fhir/ImagingStudy/${uid}`)).json()) as { meta: object }).meta;
      expect(await seen(b)).toEqual(await seen(a));

      const revoked = new URLSearchParams({ ...client, token });
      expect((await fetch(`${a.url}/own/oauth/revoke`, { method: 'POST', body: revoked })).status).toBe(200);
      expect((await get(b, `dicomweb/studies/${uid}/metadata`)).status).toBe(401);

      await redis.stop();
      await allSay('unreachable');
      await expect.poll(imagingB.log).toContain('REDIS_URL: the shared state cannot be reached');
      redis = await startRedis(redis.port);
      await allSay('reachable');
    } finally {
      await Promise.all(processes.map((one) => one.stop()));
      await redis.stop();
      await rm(directory, { recursive: true, force: true });
    }
  },
  180_000,
);
