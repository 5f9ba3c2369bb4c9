/** An EHR with an export, as a function that answers requests; and what a store would have of its files. */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseTenant, type Tenant } from '../../../schema/tenant/tenant.ts';
import { BulkRecord, type BulkSettings } from '../bulk/bulk-record.ts';
import type { BulkAnswer, BulkRequest, SendBulk } from '../bulk/bulk-server.ts';

export const BASE = 'https://ehr.example.org/fhir';

/** A tenant of that EHR. */
export function ehrTenant(): Tenant {
  const file = {
    authorization: { type: 'smart-on-fhir', fhirBaseUrl: BASE },
    images: { type: 'folder', path: '.', lookup: 'all-studies-on-server' },
  };
  return parseTenant(file, { key: 'clinic', path: 'clinic', dynamic: false, directory: '/', environment: {} })
    .tenant;
}

/** A resource with some value in it. */
interface TestResource {
  resourceType: string;
  id: string;
  status?: string;
}

type Answered = Partial<Omit<BulkAnswer, 'body'>> & { body?: AsyncIterable<Uint8Array> | string };

export const ANA = { resourceType: 'Patient', id: 'ana' };
export const FLU = { resourceType: 'Condition', id: 'flu', status: 'active' };
export const COUGH = { resourceType: 'Condition', id: 'cough', status: 'active' };
/** The same by id, with what a store shows of each. */
export const ALL = { 'Patient/ana': undefined, 'Condition/flu': 'active', 'Condition/cough': 'active' };

/** Returns bytes in small chunks, so that lines are cut. */
export async function* chunks(text: string, size = 7): AsyncGenerator<Uint8Array> {
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

class BulkEhr {
  now = Date.parse('2026-11-01T00:00:00Z');
  /** The answer of an export: all of it, or what has changed, as the test decides. */
  output: TestResource[] = [ANA, FLU, COUGH];
  deleted: string[] = [];
  errors: string[] = [];
  /** Of its errors. */
  severity = 'warning';
  /** Status answers before the manifest. */
  waits: Answered[] = [];
  /** Answers a request in the place of the EHR. */
  instead: ((request: BulkRequest) => Answered | undefined) | undefined;
  /** Changes a manifest. */
  manifest: ((manifest: Record<string, unknown>) => object) | undefined;
  /** Method and URL below the base of each request; `!` in front of one without token. */
  asked: string[] = [];

  readonly send: SendBulk = async (request, isAuthorized) => {
    const path = request.url.replace(BASE, '');
    this.asked.push(`${isAuthorized ? '' : '!'}${request.method} ${path}`);
    request.signal.throwIfAborted();
    const { status = 200, headers = {}, body = '' } = this.instead?.(request) ?? this.#answer(request, path);
    return { status, headers, body: typeof body === 'string' ? chunks(body) : body };
  };

  #answer({ method, headers }: BulkRequest, path: string): Answered {
    if (method === 'DELETE') return { status: 202 };
    if (path.startsWith('/Patient/$export')) {
      if (!headers['prefer']?.includes('respond-async')) return { status: 400 };
      return { status: 202, headers: { 'content-location': `${BASE}/status/1` } };
    }
    if (path === '/status/1') return this.waits.shift() ?? { body: JSON.stringify(this.#manifest()) };
    const [, name = ''] = /^\/file\/(.+)$/.exec(path) ?? [];
    if (name === 'deleted') return { body: this.deleted.map((url) => bundle(url)).join('\n') };
    if (name === 'errors')
      return { body: this.errors.map((text) => outcome(this.severity, text)).join('\n') };
    return {
      body: this.#of(name)
        .map((one) => `${JSON.stringify(one)}\n`)
        .join(''),
    };
  }

  #of(type: string): TestResource[] {
    return this.output.filter(({ resourceType }) => resourceType === type);
  }

  #manifest(): object {
    const named = (type: string, name = type) => ({ type, url: `${BASE}/file/${name}` });
    const types = [...new Set(this.output.map(({ resourceType }) => resourceType))];
    const made = {
      transactionTime: new Date(this.now).toISOString(),
      requiresAccessToken: true,
      output: types.map((type) => ({ ...named(type), count: this.#of(type).length })),
      deleted: this.deleted.length > 0 ? [named('Bundle', 'deleted')] : undefined,
      error: this.errors.length > 0 ? [named('OperationOutcome', 'errors')] : [],
    };
    return this.manifest?.(made) ?? made;
  }
}

const bundle = (url: string): string =>
  JSON.stringify({
    resourceType: 'Bundle',
    type: 'transaction',
    entry: [{ request: { method: 'DELETE', url } }],
  });
const outcome = (severity: string, text: string): string =>
  JSON.stringify({ resourceType: 'OperationOutcome', issue: [{ severity, details: { text } }] });

/** A store: of the files of a record, the last version of each resource. */
export class TestStore {
  /** Status of each resource by `Type/id`. */
  loaded: Record<string, string | undefined> = {};
  loads = 0;
  discarded = 0;
  fails = false;

  async prepare({ clinical }: Tenant): Promise<void> {
    if (this.fails) throw new Error('the store cannot be loaded');
    if (clinical.type !== 'store') throw new TypeError('no store');
    this.loads++;
    this.loaded = {};
    const names = readdirSync(clinical.path, { recursive: true, encoding: 'utf8' });
    for (const name of names.filter((one) => one.endsWith('.ndjson')).sort()) {
      const lines = readFileSync(join(clinical.path, name), 'utf8').split('\n').filter(Boolean);
      for (const { resourceType, id, status } of lines.map((line) => JSON.parse(line) as TestResource)) {
        this.loaded[`${resourceType}/${id}`] = status;
      }
    }
  }

  async discard(): Promise<void> {
    this.discarded++;
  }
}

/** A client of the EHR, with a folder and a store of its own. */
export class BulkFixture {
  readonly ehr = new BulkEhr();
  store = new TestStore();
  readonly log: string[] = [];
  readonly folder = join(mkdtempSync(join(tmpdir(), 'bulk-')), 'bulk');
  bulk: BulkRecord;

  constructor() {
    this.bulk = this.start();
  }

  /** Starts the client, as a new process would. */
  start(more: Partial<BulkSettings> = {}): BulkRecord {
    const write = (details: object, message: string) =>
      this.log.push(`${message} ${JSON.stringify(details)}`);
    this.bulk = new BulkRecord({
      tenant: ehrTenant(),
      folder: this.folder,
      types: ['Patient', 'Condition'],
      minutes: 15,
      send: this.ehr.send,
      clinical: this.store,
      log: { info: write, warn: write, error: write },
      now: () => this.ehr.now,
      pause: 1,
      ...more,
    });
    return this.bulk;
  }

  /** Requests that began an export. */
  get kickOffs(): string[] {
    return this.ehr.asked.filter((one) => one.includes('$export'));
  }

  async end(): Promise<void> {
    await this.bulk.close();
    rmSync(join(this.folder, '..'), { recursive: true });
  }
}
