/** Several whole gateways in one process that share a real Redis, an EHR and an Orthanc. */
import { randomBytes } from 'node:crypto';
import { vi } from 'vitest';
import { startCountingProxy, type Upstream } from '../../subgraphs/imaging/test/upstream.ts';
import { sharedFirstSeen } from '../../subgraphs/imaging/cache/shared-first-seen.ts';
import { metrics } from '../http/metrics.ts';
import { openRedis } from '../state/open-redis.ts';
import type { SharedRedis } from '../state/redis.ts';
import { sharedState } from '../state/shared-state.ts';
import { authorizationServer, type AuthorizationServer } from './authorization-server.ts';
import { startOrthanc } from './setup/orthanc.ts';
import { startRedis, type Redis } from './setup/redis.ts';
import { smallObjects } from './setup/small-objects.ts';
import { buildTestGateway, type TestGateway } from './test-gateway.ts';

/** Study Instance UIDs of the archive. */
export const STUDIES = ['1.9.1', '1.9.2'] as const;
/** Requests that a client of the tenant `counted` may send in a minute. */
const RATE = 2;
const SECRET = 'the secret of a client';

const CLIENT_FORM = {
  grant_type: 'client_credentials',
  scope: 'system/*.rs',
  client_id: 'backend',
  client_secret: SECRET,
};

/** Request of one gateway. */
export interface Asked {
  token?: string | undefined;
  /** Sent as a form. */
  form?: Record<string, string>;
  /** Sent as JSON. */
  json?: object;
  /** The client's address. */
  from?: string;
}

export interface Answered {
  status: number;
  headers: Record<string, unknown>;
  text: string;
  /** As JSON. */
  json: Record<string, unknown>;
}

export interface SharedGateway extends TestGateway {
  connection: SharedRedis;
  ask(path: string, asked?: Asked): Promise<Answered>;
}

export interface SharedGateways {
  gateways: readonly SharedGateway[];
  redis: Redis;
  ehr: AuthorizationServer;
  /** Before the archive: what the gateways ask. */
  archive: Upstream;
  /** Starts a Redis again that was stopped. */
  restartRedis(): Promise<void>;
  /** Makes a token of the EHR. */
  give(token: string): string;
  /** Form for a token of the tenant `own`. */
  clientForm: Record<string, string>;
  /** Returns a token of the tenant `own`. */
  ownToken(gateway: SharedGateway): Promise<string>;
  close(): Promise<void>;
}

/**
 * Starts gateways. Tenants, all with the same images: `smart`, with tokens of the EHR; `own`, with our own authorization
 * server; `counted`, without tokens, with a rate.
 * @param split true for subgraphs that are servers of their own, with a connection to Redis of their own
 */
export async function startSharedGateways(
  number: number,
  { split, open = openRedis }: { split?: boolean; open?: (url: string) => SharedRedis } = {},
): Promise<SharedGateways> {
  let redis = await startRedis();
  const ehr = await authorizationServer();
  const files = STUDIES.flatMap((studyUid) => smallObjects({ studyUid, patientId: 'MRN-1', instances: 3 }));
  const orthanc = await startOrthanc({ files });
  const archive = await startCountingProxy(orthanc.url);
  const secrets = [randomBytes(32).toString('hex')];
  const { username, password } = orthanc;
  const images = {
    type: 'dicom-web',
    endpoint: orthanc.dicomWebUrl.replace(orthanc.url, archive.url),
    lookup: 'all-studies-on-server',
    authentication: { type: 'http-basic', username, password },
  };
  const tenants = () => ({
    smart: {
      authorization: { type: 'smart-on-fhir', fhirBaseUrl: ehr.fhirBaseUrl, client: ehr.client },
      images,
    },
    own: {
      authorization: {
        type: 'embedded',
        modes: ['backend-services'],
        clients: [{ client_id: 'backend', client_secret: SECRET }],
        policy: [{ client_id: 'backend', patients: ['p1'] }],
      },
      images,
    },
    counted: {
      authorization: { type: 'mock', disableAuthzChecks: true },
      images,
      limits: { requestsPerMinute: RATE },
    },
  });
  const gateways = await Promise.all(
    Array.from({ length: number }, async (): Promise<SharedGateway> => {
      const connection = open(redis.url);
      await vi.waitFor(() => {
        if (!connection.reachable()) throw new Error('Redis is not reached');
      }, 10_000);
      const state = sharedState(connection, secrets, Date.now);
      const seen = sharedFirstSeen(connection.client, () => Date.now() / 1000);
      const gateway = await buildTestGateway(tenants, { images: '', patients: '' }, undefined, {
        shared: { ...state, seen },
        split,
        secrets,
        measured: metrics(),
        limits: { redis: connection },
      });
      const ask: SharedGateway['ask'] = async (path, { token, form, json, from } = {}) => {
        const answer = await gateway.app.inject({
          method: form || json ? 'POST' : 'GET',
          url: path,
          ...(from !== undefined && { remoteAddress: from }),
          headers: {
            ...(token !== undefined && { authorization: `Bearer ${token}` }),
            ...(form && { 'content-type': 'application/x-www-form-urlencoded' }),
          },
          ...((form ?? json) && { payload: form ? String(new URLSearchParams(form)) : json! }),
        });
        const { statusCode: status, headers, payload: text } = answer;
        return {
          status,
          headers,
          text,
          get json() {
            return JSON.parse(text) as Record<string, unknown>;
          },
        };
      };
      return { ...gateway, connection, ask };
    }),
  );
  return {
    gateways,
    get redis() {
      return redis;
    },
    ehr,
    archive,
    async restartRedis() {
      redis = await startRedis(redis.port);
    },
    give(token) {
      const exp = Math.floor(Date.now() / 1000) + 3600;
      ehr.tokens.set(token, { client_id: 'app', patient: 'p1', scope: 'patient/*.rs', exp });
      return token;
    },
    clientForm: CLIENT_FORM,
    async ownToken({ ask }) {
      const { json } = await ask('/own/oauth/token', { form: CLIENT_FORM });
      return String(json['access_token']);
    },
    async close() {
      for (const gateway of gateways) {
        await gateway.close();
        gateway.connection.close();
      }
      await Promise.all([archive.close(), ehr.close(), orthanc.stop(), redis.stop()]);
    },
  };
}
