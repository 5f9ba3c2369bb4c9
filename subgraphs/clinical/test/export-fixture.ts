import type { FastifyInstance } from 'fastify';
import type { Resource } from 'fhir/r4.js';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, vi } from 'vitest';
import type { Access } from '../../../schema/access/access.ts';
import type { Operation } from '../../../schema/access/audit.ts';
import type { Tenant } from '../../../schema/tenant/tenant.ts';
import { clinicalSubgraph, type ClinicalSubgraph } from '../app.ts';
import type { ExportLimits } from '../export/export-jobs.ts';
import { operationsApp, TestImages } from './operations-app.ts';
import { records } from './records.ts';
import { accessOf, tenantOf } from './servers.ts';

export const LIMITS: ExportLimits = { running: 3, runningOfClient: 2, bytes: 1e6, seconds: 3600 };
export const ASYNC = { prefer: 'respond-async' };

/** The answer to a finished export. */
export interface Manifest {
  transactionTime: string;
  request: string;
  requiresAccessToken: boolean;
  output: { type: string; url: string; count: number }[];
  error: { type: string; url: string }[];
  outcome: { type: string; url: string }[];
}

/** More records: one of two patients, a third patient, and Groups. */
const MORE = [
  {
    resourceType: 'Appointment',
    id: 'both',
    participant: ['ana', 'bob'].map((id) => ({ actor: { reference: `Patient/${id}` } })),
  },
  { resourceType: 'Patient', id: 'carl' },
  ...[
    { id: 'mixed', member: ['ana', 'carl'].map((id) => ({ entity: { reference: `Patient/${id}` } })) },
    { id: 'others', member: [{ entity: { reference: 'Patient/carl' } }] },
    { id: 'left', member: [{ entity: { reference: 'Patient/ana' }, inactive: true }] },
  ].map((group) => ({ resourceType: 'Group', ...group })),
];

/** The path of an absolute URL of the server. */
export const at = (url: string): string => url.replace('http://localhost:4000', '');

/** A server with exports over the small record, one clock, and one Access for all requests. */
export class ExportFixture {
  now = Date.parse('2026-11-01T00:00:00Z');
  access = accessOf('system/*.rs');
  images = new TestImages();
  audited: Operation[] = [];
  app!: FastifyInstance;
  #subgraph: ClinicalSubgraph | undefined;
  #tenant!: Tenant;
  #folder!: string;
  /** Each test has its own client. */
  #client = 0;

  static async start(): Promise<ExportFixture> {
    const fixture = new ExportFixture();
    fixture.#folder = await mkdtemp(join(tmpdir(), 'export-'));
    const path = join(fixture.#folder, 'records.ndjson');
    await writeFile(path, [...records, ...MORE].map((line) => JSON.stringify(line)).join('\n'));
    fixture.#tenant = tenantOf({ type: 'store', path });
    await fixture.restart();
    return fixture;
  }

  /** Folder of the exports. */
  get folder(): string {
    return join(this.#folder, 'data', 'exports');
  }

  nextClient(): void {
    this.#client++;
    this.access = this.client('system/*.rs');
    this.audited.length = 0;
  }

  client(
    scope: string,
    patients: readonly string[] | 'all' = ['ana', 'bob'],
    name = `client ${this.#client}`,
  ): Access {
    return { ...accessOf(scope, patients), client: name };
  }

  async restart(exports: ExportLimits = LIMITS): Promise<void> {
    await this.stop();
    const dataDir = join(this.#folder, 'data');
    this.#subgraph = clinicalSubgraph({
      dataDir,
      baseUrl: 'http://localhost:4000',
      now: () => this.now,
      exports,
      loadWait: 30_000,
    });
    this.images = new TestImages();
    const started = operationsApp(this.#subgraph, this.#tenant, () => this.access, this.images);
    this.app = started.app;
    this.audited = started.audited;
  }

  async stop(): Promise<void> {
    await (this.app as FastifyInstance | undefined)?.close();
    await this.#subgraph?.close();
  }

  async end(): Promise<void> {
    await this.stop();
    await rm(this.#folder, { recursive: true, force: true });
  }

  kickOff(path = '/Patient/$export', headers: Record<string, string> = ASYNC) {
    return this.app.inject({ url: `/test/fhir${path}`, headers });
  }

  /** Begins an export and waits for its end. */
  async exported(path?: string, headers?: Record<string, string>) {
    const begun = await this.kickOff(path, headers);
    expect(begun.statusCode, begun.body).toBe(202);
    return this.ended(at(String(begun.headers['content-location'])));
  }

  /** Waits for the end of an export. @param status path of its status */
  async ended(status: string) {
    let answer = await this.app.inject(status);
    const check = async () => {
      answer = await this.app.inject(status);
      expect(answer.statusCode).not.toBe(202);
    };
    await vi.waitFor(check, { timeout: 15_000, interval: 5 });
    return { status, answer, manifest: answer.json<Manifest>() };
  }

  async linesOf(url: string): Promise<Resource[]> {
    const { body } = await this.app.inject(at(url));
    const lines = body.split('\n').filter(Boolean);
    return lines.map((line) => JSON.parse(line) as Resource);
  }

  /** Returns `Type/id` of every exported resource. */
  async contents({ output }: Manifest): Promise<string[]> {
    const files = await Promise.all(output.map(({ url }) => this.linesOf(url)));
    return files
      .flat()
      .map(({ resourceType, id }) => `${resourceType}/${id}`)
      .toSorted();
  }
}
