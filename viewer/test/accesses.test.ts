import { expect, test } from 'vitest';
import type { AuditEvent } from '../../schema/access/audit.ts';
import { balpAuditEvent } from '../../gateway/audit/audit-event.ts';
import { Transport } from '../src/data/transport.ts';
import { accessesOf } from '../src/data/rest/accesses.ts';

const BASE = 'https://gateway.example/demo/fhir';
const { signal } = new AbortController();

/** Returns a server with these events, and with a practitioner `weiss`. */
function serverOf(events: readonly object[], link: readonly object[] = []) {
  const asked: string[] = [];
  const entry = events.map((resource) => ({ resource, search: { mode: 'match' } }));
  const answers: Record<string, object> = {
    AuditEvent: { resourceType: 'Bundle', entry, link },
    'Practitioner/weiss': { resourceType: 'Practitioner', name: [{ text: 'Dr Eva Weiss' }] },
  };
  const fetch = async (input: unknown): Promise<Response> => {
    const url = String(input);
    asked.push(url.slice(BASE.length + 1));
    const found = Object.entries(answers).find(([path]) => url.startsWith(`${BASE}/${path}`))?.[1];
    const headers = { 'content-type': 'application/fhir+json' };
    return new Response(JSON.stringify(found ?? {}), { status: found ? 200 : 404, headers });
  };
  const transport = new Transport([BASE], { fetch: fetch as typeof globalThis.fetch });
  return { server: { base: BASE, transport, signal }, asked };
}

const event = (more: Partial<AuditEvent>) => ({
  id: 'e1',
  ...balpAuditEvent(
    {
      action: 'read',
      patient: 'helen',
      outcome: { kind: 'allowed' },
      tenant: 'demo',
      request: 'r',
      time: '2026-11-24T12:00:00Z',
      client: 'viewer',
      ...more,
    },
    'https://gateway.example/demo',
  ),
});

const READ = { id: 'e1', time: '2026-11-24T12:00:00Z', client: 'viewer', does: 'opened', outcome: 'done' };

test.each<[string, Partial<AuditEvent>, object]>([
  [
    'a person, by reference',
    { type: 'Patient', target: 'helen', user: 'Patient/helen' },
    { user: 'Patient/helen', type: 'Patient' },
  ],
  ['an app alone', { type: 'Condition', target: 'c1' }, { type: 'Condition' }],
  [
    'a search',
    { action: 'search', type: 'Observation', query: 'Observation?category=laboratory&patient' },
    { does: 'looked', type: 'Observation' },
  ],
  [
    'images',
    { action: 'retrieve', type: 'ImagingStudy', study: '1.2.3', target: 'metadata' },
    { type: 'ImagingStudy', study: '1.2.3' },
  ],
  [
    'a refusal',
    { type: 'Condition', target: 'c1', outcome: { kind: 'denied', code: 'forbidden' } },
    { type: 'Condition', outcome: 'refused' },
  ],
  [
    'a failure',
    { type: 'Condition', target: 'c1', outcome: { kind: 'failed', code: 'bad_gateway' } },
    { type: 'Condition', outcome: 'failed' },
  ],
  [
    'a client that left',
    { type: 'Condition', target: 'c1', outcome: { kind: 'left' } },
    { type: 'Condition' },
  ],
])('reads what the gateway records of %s', async (_what, more, expected) => {
  const { server } = serverOf([event(more)]);
  expect(await accessesOf(server, { patient: 'helen' })).toEqual({ items: [{ ...READ, ...expected }] });
});

test('asks for the name of a practitioner once, and shows who has none as the server says', async () => {
  const users = [
    'Practitioner/weiss',
    'Practitioner/weiss',
    'Practitioner/gone',
    'https://ehr.example/Practitioner/1',
  ];
  const { server, asked } = serverOf(users.map((user) => event({ type: 'Condition', target: 'c', user })));
  const { items } = await accessesOf(server, { patient: 'helen' });
  expect(items.map(({ user, name }) => name ?? user)).toEqual([
    'Dr Eva Weiss',
    'Dr Eva Weiss',
    ...users.slice(2),
  ]);
  expect(asked).toEqual(['AuditEvent?patient=helen&_count=50', 'Practitioner/weiss', 'Practitioner/gone']);
});

test('reads on where the server says, and leaves out what has no time or is no AuditEvent', async () => {
  const next = `${BASE}/AuditEvent?_cursor=x`;
  const { server, asked } = serverOf(
    [
      { resourceType: 'AuditEvent', id: 'e2' },
      { resourceType: 'AuditEvent', id: 'e3', recorded: 'yesterday' },
      { resourceType: 'Basic' },
    ],
    [{ relation: 'next', url: next }],
  );
  expect(await accessesOf(server, { patient: 'helen', next })).toEqual({ items: [], next });
  expect(asked).toEqual(['AuditEvent?_cursor=x']);
});
