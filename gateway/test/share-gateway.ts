/** A whole gateway whose patients share, what it logs and records, and a receiver that knows only the link. */
import { compactDecrypt } from 'jose';
import { request as httpRequest } from 'node:http';
import { Writable } from 'node:stream';
import type { Bundle, FhirResource } from 'fhir/r4.js';
import type { AuditEvent } from '../../schema/access/audit.ts';
import { AuditLines } from '../audit/audit-lines.ts';
import { logger } from '../http/logger.ts';
import { SmartApp } from '../smart/server/test/smart-app.ts';
import { keyPair, REDIRECT, SECRET } from '../smart/server/test/started.ts';
import type { Tenants } from '../tenants/loading/settings.ts';
import { tenantsOf } from './gateway-alone.ts';
import { freePort } from './setup/free-port.ts';
import { buildTestGateway, type DemoData, type TestGateway } from './test-gateway.ts';

export const MARIA = 'demo-maria-alvarez';
export const GEORGE = 'demo-george-whitfield';
export const PASSCODE = 'a passcode for the doctor';
export const DAY = 86_400_000;

export interface SharedLink {
  id: string;
  link: string;
  expires: string;
  notIncluded: string[];
}

interface Payload {
  url: string;
  flag?: string;
  key: string;
  exp: number;
  label?: string;
}

export interface Answer {
  status: number;
  headers: Record<string, unknown>;
  text: string;
  json: Record<string, unknown>;
}

interface Asked {
  method?: string;
  token?: string;
  json?: unknown;
  /** Sent as it is. */
  raw?: string;
  /** The client's address. */
  from?: string;
}

export interface ShareGateway extends TestGateway {
  /** All that was logged, and all audit records as they are written. */
  lines: string[];
  events: AuditEvent[];
  /** Added to the clock, in milliseconds. */
  clock: { late: number };
  /** Replaces the keys of a tenant file. */
  change(key: string, more: object): void;
  token(account: string, more?: { scope?: string; patient?: string }): Promise<string>;
  /** Sends a path unchanged: `fetch` would normalize it. */
  ask(path: string, options?: Asked): Promise<Answer>;
  studiesOf(token: string): Promise<string[]>;
}

/** Tenants: `clinic`, whose people sign in; `off`, the same without links; `family`, without tokens, of one patient; `ehr`. */
const files = ({ images, patients }: DemoData): Record<string, Record<string, unknown>> => {
  const embedded = {
    authorization: {
      type: 'embedded',
      modes: ['app-launch', 'backend-services'],
      clients: [
        { client_id: 'public-app', redirect_uris: [REDIRECT] },
        { client_id: 'backend', client_secret: SECRET },
      ],
      policy: [{ client_id: 'backend', patients: [MARIA] }],
    },
    clinical: { type: 'store', path: patients },
    images: { type: 'folder', path: images, lookup: 'studies-by-mrn' },
  };
  return {
    clinic: { ...embedded, share: { enabled: true } },
    other: { ...embedded, share: { enabled: true } },
    off: embedded,
    family: {
      ...embedded,
      images: { ...embedded.images, lookup: 'all-studies-on-server' },
      authorization: { type: 'mock', patient: { resourceType: 'Patient', id: MARIA } },
      share: { enabled: true, passcode: 'optional' },
    },
    ehr: {
      ...embedded,
      authorization: { type: 'smart-on-fhir', fhirBaseUrl: 'http://127.0.0.1:1' },
      share: { enabled: true },
    },
  };
};

/** Starts a gateway. @param options as of `buildTestGateway` */
export async function startShareGateway(
  options: Parameters<typeof buildTestGateway>[3] = {},
): Promise<ShareGateway> {
  const lines: string[] = [];
  const events: AuditEvent[] = [];
  const clock = { late: 0 };
  const sink = new Writable({ write: (chunk: Buffer, _e, done) => (lines.push(String(chunk)), done()) });
  const written = new AuditLines();
  const record = (_tenant: unknown, event: AuditEvent) => {
    events.push(event);
    lines.push(written.of(event, 'http://localhost'));
  };
  let demoData: DemoData;
  let current: Tenants;
  const tenants = (demo: DemoData): Tenants => {
    demoData = demo;
    current = tenantsOf(files(demo));
    return { ...current, byKey: (key) => current.byKey(key) };
  };
  const gateway = await buildTestGateway(() => ({}), undefined, record, {
    port: await freePort(),
    now: () => Date.now() + clock.late,
    log: logger('debug', sink),
    tenants,
    ...options,
  });
  const keys = { ES384: await keyPair('ES384'), RS384: await keyPair('RS384') };
  const ask: ShareGateway['ask'] = (path, { method, token, json, raw, from } = {}) => {
    const { hostname, port } = new URL(gateway.baseUrl);
    const body = raw ?? (json === undefined ? undefined : JSON.stringify(json));
    const headers = {
      ...(token !== undefined && { authorization: `Bearer ${token}` }),
      ...(body !== undefined && { 'content-type': 'application/json' }),
    };
    return new Promise((done, failed) => {
      const asked = httpRequest(
        {
          hostname,
          port,
          path,
          method: method ?? (body === undefined ? 'GET' : 'POST'),
          headers,
          ...(from && { localAddress: from }),
        },
        (response) => {
          const chunks: Buffer[] = [];
          response.on('data', (chunk: Buffer) => chunks.push(chunk));
          response.on('end', () => {
            const text = Buffer.concat(chunks).toString();
            const isJson = /json/.test(String(response.headers['content-type']));
            const parsed = isJson && text ? (JSON.parse(text) as Record<string, unknown>) : {};
            done({ status: response.statusCode!, headers: response.headers, text, json: parsed });
          });
        },
      );
      asked.on('error', failed).end(body);
    });
  };
  return {
    ...gateway,
    lines,
    events,
    clock,
    ask,
    change(key, more) {
      const all = files(demoData);
      current = tenantsOf({ ...all, [key]: { ...all[key], ...more } });
    },
    async token(account, more = {}) {
      const base = `${gateway.baseUrl}/clinic`;
      const app = new SmartApp({ base, issuer: `${base}/oauth`, keys });
      const { access_token: token } = await app.tokens({ account, ...more });
      return token;
    },
    async studiesOf(token) {
      const { json } = await ask('/clinic/fhir/ImagingStudy', { token });
      return ((json as unknown as Bundle).entry ?? []).flatMap(({ resource }) =>
        resource?.resourceType === 'ImagingStudy' ? [resource.id!] : [],
      );
    },
  };
}

/** Returns the end of a day, some days from now. */
export const inDays = (days: number, late = 0): string =>
  new Date(Date.now() + late + days * DAY).toISOString().slice(0, 10);

/** Reads a link as a receiver does. */
export function readLink(link: string): Payload & { path: string } {
  const [, text = ''] = link.split('#shlink:/');
  const payload = JSON.parse(Buffer.from(text, 'base64url').toString()) as Payload;
  return { ...payload, path: new URL(payload.url).pathname };
}

/** Decrypts a file as a receiver does, by `jose` with its defaults. */
export async function decrypt(jwe: string, key: string) {
  const { plaintext, protectedHeader } = await compactDecrypt(jwe, Buffer.from(key, 'base64url'));
  return {
    bundle: JSON.parse(new TextDecoder().decode(plaintext)) as Bundle<FhirResource>,
    header: protectedHeader,
  };
}

export const resources = (bundles: readonly Bundle<FhirResource>[]): FhirResource[] =>
  bundles.flatMap(({ entry = [] }) => entry.flatMap(({ resource }) => resource ?? []));
