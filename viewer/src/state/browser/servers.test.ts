import { beforeEach, describe, expect, test } from 'vitest';
import { Servers } from './servers.ts';

/** A Storage in memory. */
function storage(): Pick<Storage, 'getItem' | 'setItem' | 'removeItem'> {
  const values = new Map<string, string>();
  return {
    getItem: (key) => values.get(key) ?? null,
    setItem: (key, value) => void values.set(key, value),
    removeItem: (key) => void values.delete(key),
  };
}

const GATEWAY = 'https://gateway.example/imaging/';
const EHR = { name: 'The EHR', fhirBase: 'https://ehr.example/r4' };

let kept: ReturnType<typeof storage>;
let servers: Servers;
beforeEach(() => {
  kept = storage();
  servers = new Servers({ gateway: GATEWAY, tenants: ['demo', 'open'], storage: kept });
});

test('the list has the tenants of this gateway, and what was added, after a reload too', () => {
  expect(servers.keep({ ...EHR, fhirBase: ' https://EHR.example/r4/ ' })).toBeUndefined();
  const reloaded = new Servers({ gateway: GATEWAY, tenants: ['demo', 'open'], storage: kept });
  expect(reloaded.list.map(({ id, fhirBase }) => [id, fhirBase])).toEqual([
    ['demo', `${GATEWAY}demo/fhir`],
    ['open', `${GATEWAY}open/fhir`],
    ['ehr.example/r4', 'https://ehr.example/r4'],
  ]);
  expect(reloaded.byId('ehr.example/r4')).toMatchObject({
    name: 'The EHR',
    isOwn: false,
    clientId: 'viewer',
  });
});

test('an added server is changed, removed, and all are forgotten', () => {
  servers.keep(EHR);
  servers.keep({ name: 'Other', fhirBase: 'http://localhost:8080/fhir' });
  expect(servers.keep({ ...EHR, name: 'Renamed', clientId: 'app-7' }, 'ehr.example/r4')).toBeUndefined();
  expect(servers.byId('ehr.example/r4')).toMatchObject({ name: 'Renamed', clientId: 'app-7' });
  expect(servers.list).toHaveLength(4);
  servers.remove('ehr.example/r4');
  expect(servers.list.map(({ id }) => id)).toEqual(['demo', 'open', 'localhost:8080/fhir']);
  servers.reset();
  expect(servers.list).toHaveLength(2);
});

test.each([
  [{ ...EHR, name: ' ' }, 'no-name'],
  [{ ...EHR, fhirBase: 'ehr.example' }, 'no-address'],
  [{ ...EHR, fhirBase: 'javascript:alert(1)' }, 'no-address'],
  [{ ...EHR, fhirBase: 'https://me:secret@ehr.example/r4' }, 'no-address'],
  [{ ...EHR, fhirBase: 'https://ehr.example/r4?key=1' }, 'no-address'],
  [{ ...EHR, fhirBase: 'http://ehr.example/r4' }, 'not-https'],
  [{ ...EHR, fhirBase: 'https://second.example/r4' }, 'known-already'],
  [{ ...EHR, fhirBase: `${GATEWAY}demo/fhir` }, 'known-already'],
])('%o is not kept: %s', (entry, fault) => {
  servers.keep({ name: 'Second', fhirBase: 'https://second.example/r4' });
  expect(servers.keep(entry)).toBe(fault);
  expect(servers.list).toHaveLength(3);
});

test('where people cannot add servers, none that was added before counts', () => {
  servers.keep(EHR);
  const own = new Servers({ gateway: GATEWAY, tenants: ['demo'], onlyOwn: true, storage: kept });
  expect(own.list.map(({ id }) => id)).toEqual(['demo']);
  expect([own.canAdd, own.keep(EHR)]).toEqual([false, 'not-kept']);
});

test('a browser that refuses its storage has the tenants, and says that an entry is not kept', () => {
  const full = {
    ...storage(),
    setItem: () => {
      throw new DOMException('full', 'QuotaExceededError');
    },
  };
  for (const refused of [undefined, full]) {
    const own = new Servers({ gateway: GATEWAY, tenants: ['demo'], storage: refused });
    expect(own.keep(EHR)).toBe('not-kept');
    expect(own.list.map(({ id }) => id)).toEqual(['demo']);
    own.reset();
  }
});

describe('SMART App Launch 2.2 §2.0.7 the server of an iss', () => {
  test.each([
    [`${GATEWAY}demo/fhir`, 'demo'],
    [`${GATEWAY}another/fhir/`, 'another'],
    [`${GATEWAY}dyn/eyJ9/fhir`, 'dyn/eyJ9'],
    [`${GATEWAY}demo/graphql`, undefined],
    [`${GATEWAY}a/b/fhir`, undefined],
    [`${GATEWAY}fhir`, undefined],
    ['https://gateway.example/demo/fhir', undefined],
    ['https://gatewax.example/imaging/demo/fhir', undefined],
    ['https://ehr.example/r4/', 'ehr.example/r4'],
    ['https://ehr.example/r5', undefined],
    ['https://ehr.example.evil/r4', undefined],
    ['no address', undefined],
  ])('%s is %s', (iss, id) => {
    servers.keep(EHR);
    expect(servers.byBase(iss)?.id).toBe(id);
  });
});

test.each(['{', '{"a":1}', '[{"name":"x"}]', '[{"name":"x","fhirBase":"javascript:1"}]', '[null, 3]'])(
  'a storage that says %s adds nothing',
  (stored) => {
    kept.setItem('servers', stored);
    expect(servers.list).toHaveLength(2);
  },
);
