/**
 * Reads every object that a gateway serves in a test and compares it with the request (DW-26): its Study, Series and
 * SOP Instance UID with the address, its PatientID with that of the other objects of the answer and with the last row
 * of the study from the same server. A test file in which one differs fails, see `check-retrievals.ts`. Answers of
 * servers in this process are read where they are written, those of gateways in other processes where undici receives
 * them.
 */
import { subscribe } from 'node:diagnostics_channel';
import { IncomingMessage, ServerResponse } from 'node:http';
// Before a test uses Node's own `fetch`: the first of both sends the requests of both, and Node's does not tell the bytes.
import 'undici';
import { retrievedObjects, type RetrievedObject } from './retrieved-objects.ts';

/** An answer that has begun, and its bytes so far. */
interface Begun {
  type: string;
  chunks: Buffer[];
}

/** A complete answer. */
interface Answer {
  port: number;
  /** Path and query of the request. */
  url: string;
  type: string;
  bytes: Buffer;
}

const findings: string[] = [];
const reading = new Set<Promise<void>>();
/** PatientID of each study in its latest row, by server, tenant and Study UID. */
const patientsOfRows = new Map<string, string>();
/** Study UIDs for which a test lets an archive send other objects. */
const planted = new Set<string>();
let objects = 0;

/** Lets an archive send other objects than those of this study, for a test of exactly that. */
export function plant(studyUid: string): void {
  planted.add(studyUid);
}

/** Returns the findings so far and forgets them. */
export async function taken(): Promise<{ findings: string[]; objects: number }> {
  await Promise.all(reading);
  const found = { findings: findings.splice(0), objects };
  objects = 0;
  return found;
}

const written = new WeakMap<ServerResponse, Begun>();
/** Ports of servers in this process. */
const ownPorts = new Set<number>();

/** Forgets servers, rows and planted studies: the next test file of this process has its own. */
export function forget(): void {
  for (const known of [ownPorts, patientsOfRows, planted]) known.clear();
}

const { writeHead, write, end } = ServerResponse.prototype;

ServerResponse.prototype.writeHead = function (this: ServerResponse, ...args: unknown[]) {
  const result = Reflect.apply(writeHead, this, args) as ServerResponse;
  const headers = args.find((arg) => typeof arg === 'object') as Record<string, unknown> | undefined;
  const header = (wanted: string) =>
    Object.entries(headers ?? {}).find(([name]) => name.toLowerCase() === wanted)?.[1] ??
    this.getHeader(wanted);
  const type = String(header('content-type') ?? '');
  const { method = '', url = '', socket } = requestOf(this);
  if (socket?.localPort !== undefined) ownPorts.add(socket.localPort);
  if (header('content-encoding')) return result;
  if (isRead({ method, url, status: this.statusCode, type })) written.set(this, { type, chunks: [] });
  return result;
} as typeof writeHead;

ServerResponse.prototype.write = function (this: ServerResponse, ...args: unknown[]) {
  // The first write may be what writes the header.
  const result = Reflect.apply(write, this, args) as boolean;
  keep(written.get(this), args[0]);
  return result;
} as typeof write;

ServerResponse.prototype.end = function (this: ServerResponse, ...args: unknown[]) {
  const result = Reflect.apply(end, this, args) as ServerResponse;
  const begun = written.get(this);
  keep(begun, args[0]);
  written.delete(this);
  const { url = '', socket } = requestOf(this);
  if (begun) check(begun, { port: socket?.localPort ?? 0, url });
  return result;
} as typeof end;

const requestOf = (response: ServerResponse) =>
  (response as { req?: IncomingMessage }).req ?? ({} as Partial<IncomingMessage>);

const received = new WeakMap<object, Begun>();

/** A request as the diagnostics channels of undici describe it. */
interface Sent {
  origin: string | URL;
  method: string;
  path: string;
}

subscribe('undici:request:headers', (message) => {
  const { request, response } = message as {
    request: Sent;
    response: { statusCode: number; headers: Buffer[] };
  };
  const names = response.headers.map((header) => header.toString('latin1').toLowerCase());
  const header = (name: string) => response.headers[names.indexOf(name) + 1]?.toString('latin1');
  if (names.includes('content-encoding')) return;
  const type = names.includes('content-type') ? header('content-type')! : '';
  const { method, path: url } = request;
  if (ownPorts.has(portOf(request)) || !isRead({ method, url, status: response.statusCode, type })) return;
  received.set(request, { type, chunks: [] });
});
subscribe('undici:request:bodyChunkReceived', (message) => {
  const { request, chunk } = message as { request: Sent; chunk: Buffer };
  keep(received.get(request), chunk);
});
subscribe('undici:request:trailers', (message) => {
  const { request } = message as { request: Sent };
  const begun = received.get(request);
  received.delete(request);
  // The built-in `fetch` of Node may report no bytes.
  if (begun && begun.chunks.length > 0) check(begun, { port: portOf(request), url: request.path });
});

const portOf = ({ origin }: Sent): number => Number(new URL(origin).port);

/** Tells whether an answer may hold objects of a gateway, and not of a simulated archive. */
function isRead(answer: { method: string; url: string; status: number; type: string }): boolean {
  const { method, url, status, type } = answer;
  return (
    status === 200 && method === 'GET' && /\/(dicomweb|wado|wado-uri)[/?]/.test(url) && /dicom|zip/.test(type)
  );
}

function keep(begun: Begun | undefined, chunk: unknown): void {
  if (!begun || chunk === undefined || chunk === null || typeof chunk === 'function') return;
  // A copy: the memory of pixels is reused.
  begun.chunks.push(Buffer.from(chunk as string));
}

function check({ type, chunks }: Begun, asked: { port: number; url: string }): void {
  const checking = checked({ ...asked, type, bytes: Buffer.concat(chunks) }).finally(() =>
    reading.delete(checking),
  );
  reading.add(checking);
}

async function checked({ port, url, type, bytes }: Answer): Promise<void> {
  const [, tenant, path = ''] = /^(.*)\/(?:dicomweb|wado|wado-uri)\b(.*)$/.exec(url.split('?')[0]!) ?? [];
  const server = `${port}${tenant}`;
  let found: RetrievedObject[];
  try {
    found = (await retrievedObjects(type, bytes)) ?? [];
  } catch (error) {
    // The gateway passes damaged objects on unchanged.
    if (type.includes('json')) findings.push(`${url}: ${String(error)}`);
    return;
  }
  const asked = askedFor(url, path);
  if (!asked.study || planted.has(asked.study)) return remember(server, found);
  const isRows = /json/.test(type) && !path.endsWith('/metadata');
  if (isRows) remember(server, found);
  else objects += found.length;
  const patient = patientsOfRows.get(`${server} ${asked.study}`) ?? found[0]?.patientId;
  for (const object of found) {
    const differs =
      (object.study !== undefined && object.study !== asked.study) ||
      (asked.series !== undefined && object.series !== undefined && object.series !== asked.series) ||
      (asked.instance !== undefined && object.instance !== undefined && object.instance !== asked.instance) ||
      (!isRows && (object.patientId ?? '').trim() !== (patient ?? '').trim());
    if (differs) findings.push(`${url} of ${patient}: ${JSON.stringify(object)}`);
  }
}

function remember(server: string, rows: readonly RetrievedObject[]): void {
  for (const { study, patientId } of rows) {
    if (study !== undefined && patientId !== undefined) patientsOfRows.set(`${server} ${study}`, patientId);
  }
}

function askedFor(url: string, path: string): { study?: string; series?: string; instance?: string } {
  const [, study, series, instance] =
    /\/studies\/([^/]+)(?:\/series\/([^/]+)(?:\/instances\/([^/]+))?)?/.exec(path) ?? [];
  const query = new URLSearchParams(url.split('?')[1]);
  const one = (value: string | undefined, name: string) => value ?? query.get(name) ?? undefined;
  return Object.fromEntries(
    Object.entries({
      study: one(study, 'studyUID'),
      series: one(series, 'seriesUID'),
      instance: one(instance, 'objectUID'),
    }).filter(([, value]) => value !== undefined),
  );
}
