/** IA-36 Links over a state in memory, with a record and images that hide what the test says. */
import { beforeEach, describe, expect, test, vi } from 'vitest';
import type { Access } from '../../schema/access/access.ts';
import { Fault } from '../../schema/fault/fault.ts';
import { parseTenant, type Tenant } from '../../schema/tenant/tenant.ts';
import { sealer } from '../state/sealed.ts';
import { Passcodes } from './passcodes.ts';
import { openShares } from './open-shares.ts';
import { MOST_LINKS, noSuchLink, randomSecret, Shares, type Share } from './shares.ts';
import { sqliteShareState, type ShareState } from './state/share-state.ts';

const SECRETS = ['the first secret, of 32 characters or more'];
const OWNER = { patient: 'p1', user: 'Patient/p1' };
const RECIPIENT = 'Dr Weiss, Kiel';
const PASSCODE = 'six or more';
const DAY = 86_400;
/** Not that of the product, with which these tests would take a minute. */
const COST = { N: 2 ** 10, r: 8, p: 1 };

function tenantOf(key: string, more: object = {}): Tenant {
  const json = {
    authorization: { type: 'embedded' },
    clinical: { type: 'store', path: '/records' },
    images: { type: 'folder', path: '/images', lookup: 'all-studies-on-server' },
    share: { enabled: true },
    ...more,
  };
  return parseTenant(json, { key, path: key, dynamic: false, directory: '/', environment: {} }).tenant;
}
const tenant = tenantOf('clinic');

let clock: number;
let state: ShareState;
let shares: Shares;
let hidden: Set<string>;
let asked: Access[];

const open = (secrets = SECRETS) =>
  new Shares({
    openState: () => state,
    sealer: sealer(secrets),
    passcodes: new Passcodes(COST),
    secrets,
    now: () => clock * 1000,
    grantOf: async (_tenant, id) => (hidden.has(id) ? undefined : { id }),
    isShown: async (_tenant, access, resource) => asked.push(access) > 0 && !hidden.has(resource),
    isStudyShown: async (_tenant, access, uid) => asked.push(access) > 0 && !hidden.has(uid),
  });
beforeEach(() => {
  clock = 1_000_000;
  state = sqliteShareState(':memory:', () => clock * 1000);
  hidden = new Set();
  asked = [];
  shares = open();
});

/** Makes a link. */
async function made(
  more: Partial<Parameters<Shares['add']>[2]> = {},
  passcode: string | undefined = PASSCODE,
) {
  const secrets = { secret: randomSecret(), capability: randomSecret() };
  const id = await shares.add(tenant, secrets, {
    ...OWNER,
    permissions: [{ level: 'patient', type: '*', interactions: 'rs' }],
    studies: ['1.2.3'],
    resources: ['DiagnosticReport/7'],
    ...(passcode && { passcode: await shares.passcodes.hash(passcode) }),
    expires: clock + DAY,
    uses: 3,
    files: ['the snapshot', 'the study'],
    ...more,
  });
  return { ...secrets, id: id! };
}
const openWith = (secret: string, passcode: string | undefined = PASSCODE) =>
  shares.open(tenant, secret, { passcode, recipient: RECIPIENT });
const outcome = (opening: Promise<unknown>) =>
  opening.then(
    (found) => (typeof found === 'object' && found && 'triesLeft' in found ? found.triesLeft : 'open'),
    (error: Fault) => error.code,
  );
const admitted = (capability: string, params: object = { studyUid: '1.2.3' }, of = tenant) =>
  shares.admit(of, { params: { capability, ...params } });

describe('opening', () => {
  test('takes a use, and no try with the right passcode', async () => {
    const { secret, id } = await made();
    for (let use = 0; use < 3; use++) expect(await openWith(secret)).toMatchObject({ id });
    expect(await outcome(openWith(secret))).toBe('not_found');
    const [share] = await shares.ofOwner(tenant, OWNER);
    expect(share).toMatchObject({ id, uses: 0, opened: { at: clock, recipient: RECIPIENT } });
  });

  test('of 200 wrong passcodes at once 5 are counted; then the right one finds nothing either', async () => {
    const { secret } = await made();
    const answers = await Promise.all(
      Array.from({ length: 200 }, (_, index) => outcome(openWith(secret, `wrong ${index}`))),
    );
    const counted = answers.filter((answer) => typeof answer === 'number');
    expect(counted.sort()).toEqual([0, 1, 2, 3, 4]);
    expect(answers).toContain('too_many_requests');
    expect(await outcome(openWith(secret))).toBe('not_found');
  });

  test('5 wrong passcodes ever lock a link, right ones between do not help', async () => {
    const { secret } = await made();
    for (const left of [4, 3]) expect(await outcome(openWith(secret, 'wrong'))).toBe(left);
    expect(await outcome(openWith(secret))).toBe('open');
    for (const left of [2, 1, 0]) expect(await outcome(openWith(secret, 'wrong'))).toBe(left);
    expect(await outcome(openWith(secret))).toBe('not_found');
  });

  test('a missing passcode is a wrong one', async () => {
    const { secret } = await made();
    const without = shares.open(tenant, secret, { recipient: RECIPIENT });
    expect(await outcome(without)).toBe(4);
  });

  test('a link without a passcode opens, whatever is sent', async () => {
    const { secret } = await made({}, '');
    expect(await outcome(openWith(secret, 'anything'))).toBe('open');
  });

  test('a passcode is the same however its letters are composed', async () => {
    const { secret } = await made({}, 'caf\u00e9 au lait');
    expect(await outcome(openWith(secret, 'cafe\u0301 au lait'))).toBe('open');
  });

  test.each<[why: string, act: (link: { secret: string; id: string }) => unknown, of?: Tenant]>([
    ['unknown', ({ secret }) => `${secret.slice(1)}x`],
    ['revoked', ({ id }) => shares.revoke(tenant, OWNER, id)],
    ['expired', () => void (clock += DAY)],
    ['of another tenant', () => undefined, tenantOf('other')],
    ['of a tenant that does not share any more', () => undefined, tenantOf('clinic', { share: {} })],
    [
      'of a tenant with another record',
      () => undefined,
      tenantOf('clinic', { clinical: { type: 'store', path: '/others' } }),
    ],
    ['with a hidden study', () => hidden.add('1.2.3')],
    ['with a hidden report', () => hidden.add('DiagnosticReport/7')],
    ['of a patient who is not there any more', () => hidden.add('p1')],
    ['sealed with another key', () => (shares = open(['another secret, of 32 characters or more']))],
  ])('nothing is found of a link that is %s', async (_why, act, of = tenant) => {
    const link = await made();
    const changed = await act(link);
    const secret = typeof changed === 'string' ? changed : link.secret;
    const compared = vi.spyOn(shares.passcodes, 'matches');
    const attempt = shares.open(of, secret, { passcode: PASSCODE, recipient: RECIPIENT });
    await expect(attempt).rejects.toEqual(noSuchLink());
    // A passcode is compared for every link, so that all take the same time.
    expect(compared).toHaveBeenCalledOnce();
  });

  test('a key that was rotated still opens, and its owner still has 20 links in all', async () => {
    const { secret } = await made();
    shares = open(['a newer secret, of 32 characters or more', ...SECRETS]);
    expect(await outcome(openWith(secret))).toBe('open');
    for (let more = 1; more < MOST_LINKS; more++) expect((await made()).id).toBeDefined();
    expect((await made()).id).toBeUndefined();
    expect(await shares.ofOwner(tenant, OWNER)).toHaveLength(MOST_LINKS);
  });

  test('a source that does not answer is no opening: no use is taken', async () => {
    const { secret } = await made();
    const away = openShares({
      passcodes: new Passcodes(COST),
      openState: () => state,
      secrets: SECRETS,
      now: () => clock * 1000,
      grantOf: async (_tenant, id) => ({ id }),
      openRecord: () => ({
        read: async () => ({ resourceType: 'DiagnosticReport', status: 'final' }) as never,
      }),
      openStudies: () => ({ find: () => Promise.reject(new Fault('unavailable', 'away')) }),
    });
    const attempt = away.open(tenant, secret, { passcode: PASSCODE, recipient: RECIPIENT });
    expect(await outcome(attempt)).toBe('unavailable');
    expect((await shares.ofOwner(tenant, OWNER))[0]?.uses).toBe(3);
  });

  test.each([
    ['final', true],
    ['entered-in-error', false],
    ['cancelled', false],
  ])('a report that is now %s: %o', async (status, isOpen) => {
    const { secret } = await made();
    const over = openShares({
      passcodes: new Passcodes(COST),
      openState: () => state,
      secrets: SECRETS,
      now: () => clock * 1000,
      grantOf: async (_tenant, id) => ({ id }),
      openRecord: () => ({ read: async () => ({ resourceType: 'DiagnosticReport', status }) as never }),
      openStudies: () => ({ find: async () => ({}) }),
    });
    const attempt = over.open(tenant, secret, { passcode: PASSCODE, recipient: RECIPIENT });
    expect(await outcome(attempt)).toBe(isOpen ? 'open' : 'not_found');
  });

  test('what is asked again has the rights of the owner to the record, and only those of the link to images', async () => {
    await openWith((await made()).secret);
    expect(asked.map(({ patients, permissions }) => ({ patients, permissions }))).toEqual([
      {
        patients: [{ id: 'p1', studies: ['1.2.3'] }],
        permissions: [{ level: 'patient', type: 'ImagingStudy', interactions: 'rs' }],
      },
      { patients: [{ id: 'p1' }], permissions: [{ level: 'patient', type: '*', interactions: 'rs' }] },
    ]);
    for (const access of asked) expect(access).not.toHaveProperty('token');
  });
});

describe('owners', () => {
  test.each([
    ['another user for the same patient', { patient: 'p1', user: 'RelatedPerson/r1' }],
    ['the same user for another patient', { patient: 'p2', user: 'Patient/p1' }],
  ])('%s has none of the links, and revokes none', async (_who, other) => {
    const { id, secret } = await made();
    expect(await shares.ofOwner(tenant, other)).toEqual([]);
    await expect(shares.revoke(tenant, other, id)).rejects.toMatchObject({ code: 'not_found' });
    expect(await outcome(openWith(secret))).toBe('open');
  });
});

describe('files', () => {
  test('a ticket gives its file once, within a minute, of its own link only', async () => {
    const link = await made();
    const another = await made();
    const share = (await openWith(link.secret)) as Share;
    const ticket = await shares.ticket(share, 1);
    const get = (secret: string, one: string) =>
      outcome(shares.fileOf(tenant, secret, one).then(() => 'file'));
    expect(await get(another.secret, ticket)).toBe('not_found');
    expect(await get(link.secret, ticket.replace('1.', '0.'))).toBe('not_found');
    expect(await shares.fileOf(tenant, link.secret, ticket)).toMatchObject({ text: 'the study' });
    expect(await get(link.secret, ticket)).toBe('not_found');
    const late = await shares.ticket(share, 0);
    clock += 60;
    expect(await get(link.secret, late)).toBe('not_found');
  });

  test.each<[string, (id: string) => unknown]>([
    ['revoked', (id) => shares.revoke(tenant, OWNER, id)],
    ['partly hidden', () => hidden.add('DiagnosticReport/7')],
    ['expired', () => void (clock += DAY)],
  ])('a link that is %s gives none', async (_why, act) => {
    const link = await made();
    const ticket = await shares.ticket((await openWith(link.secret)) as Share, 0);
    await act(link.id);
    await expect(shares.fileOf(tenant, link.secret, ticket)).rejects.toMatchObject({ code: 'not_found' });
  });
});

describe('the capability', () => {
  test('gives its study for 12 hours after an opening, and no longer than the link', async () => {
    const { secret, capability, id } = await made();
    await expect(admitted(capability)).rejects.toMatchObject({ code: 'not_found' });
    await openWith(secret);
    const access = await admitted(capability);
    expect(access).toEqual({
      tenant: 'clinic',
      record: tenant.recordKey,
      client: `shl:${id}`,
      patients: [{ id: 'p1', studies: ['1.2.3'] }],
      permissions: [{ level: 'patient', type: 'ImagingStudy', interactions: 'rs' }],
      expires: clock + 60,
    });
    clock += 12 * 3600 - 1;
    await admitted(capability);
    clock += 1;
    await expect(admitted(capability)).rejects.toMatchObject({ code: 'not_found' });
    await openWith(secret);
    await admitted(capability);
    clock += 12 * 3600;
    await expect(admitted(capability)).rejects.toMatchObject({ code: 'not_found' });
  });

  test.each<[what: string, params: object]>([
    ['another study', { studyUid: '1.2.4' }],
    ['no study', {}],
    ['another study by its id', { id: '1.2.4' }],
    ['a path', { studyUid: '..' }],
  ])('gives nothing for %s, and names the link to the audit', async (_what, params) => {
    const { secret, capability, id } = await made();
    await openWith(secret);
    const refused = admitted(capability, params);
    await expect(refused).rejects.toMatchObject({
      code: 'not_found',
      details: { caller: { client: `shl:${id}` } },
    });
  });

  test('gives nothing in another tenant, after revoking, and when it is made up', async () => {
    const { secret, capability, id } = await made();
    await openWith(secret);
    const refused = { code: 'not_found' };
    await expect(admitted(capability, undefined, tenantOf('other'))).rejects.toMatchObject(refused);
    await expect(admitted(randomSecret())).rejects.toMatchObject(refused);
    await expect(admitted(secret)).rejects.toMatchObject(refused);
    await shares.revoke(tenant, OWNER, id);
    await expect(admitted(capability)).rejects.toMatchObject(refused);
  });
});
