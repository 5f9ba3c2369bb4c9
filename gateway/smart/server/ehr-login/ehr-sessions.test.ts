import { expect, test } from 'vitest';
import { Fault } from '../../../../schema/fault/fault.ts';
import { sealer } from '../../../state/sealed.ts';
import { EhrRefusal } from './ehr-refusal.ts';
import { ehrSessions, type EhrSession } from './ehr-sessions.ts';
import type { EhrTokens } from './ehr-tokens.ts';
import { heldTokens } from './held-tokens.ts';
import { sealedRows } from '../state/sealed-rows.ts';
import { sqliteState } from '../state/state.ts';

/** SM-17: storage of the EHR's tokens. The EHR is a mock: a real one cannot be made to fail in the middle of a rotation. */

const START = 1_000_000;
const signIn = { iss: 'https://ehr.example.org', sub: 'u1', aud: 'us', iat: START };
const patient = { id: 'p1', identifier: [{ value: 'MRN-1' }] };

function sessions({ refresh = true } = {}) {
  const self = {
    now: START,
    /** Refresh tokens that were sent. */
    renewed: [] as string[],
    revoked: [] as string[],
    errors: [] as Error[],
    ended: [] as string[],
    answer: undefined as Error | undefined,
    /** True when the EHR gives tokens, even if its answer is invalid. */
    answered: true,
  };
  const state = sqliteState(':memory:', () => self.now * 1000);
  const sealing = sealer(['the cookie secret of a tenant, long enough']);
  const rows = <T>(model: string) =>
    sealedRows<T>(state, { tenant: 'demo', model }, sealing, () => self.now * 1000);
  const tokens = (number: number): EhrTokens => ({
    access: `access-${number}`,
    ...(refresh && { refresh: `refresh-${number}` }),
    renewAt: self.now + 240,
    expires: self.now + 300,
  });
  const now = () => self.now * 1000;
  const onError = (error: Error) => void self.errors.push(error);
  const held = heldTokens({
    deadlines: state.deadlines('demo'),
    sealer: sealing,
    now,
    onError,
    revoke: async (all) => void self.revoked.push(...all),
  });
  const gateway = () =>
    ehrSessions({
      held,
      now,
      onError,
      rows: rows<EhrSession>('EhrSession'),
      lock: (grantId, seconds) => state.lock('demo', grantId, seconds),
      client: {
        async refresh(token, expected, onTokens) {
          expect(expected).toEqual({ patient: 'p1', signIn });
          self.renewed.push(token);
          await new Promise((done) => setTimeout(done, 50));
          const given = tokens(self.renewed.length);
          if (self.answered) await onTokens(given);
          if (self.answer) throw self.answer;
          return given;
        },
      },
      onEnded: async (grantId) => void self.ended.push(grantId),
    });
  const begun: EhrSession = { tokens: tokens(0), held: 'h', signIn, patient, until: self.now + 3600 };
  const begin = async () => {
    await held.hold('h', ['refresh-0', 'access-0'], 900);
    const one = gateway();
    expect(await one.keep('g', begun)).toBe(true);
    expect(await one.use('g')).toBe(true);
    return one;
  };
  /** Makes the EHR answer with an error and without tokens. */
  const refuse = (answer: Error) => Object.assign(self, { answer, answered: false });
  const recover = () => Object.assign(self, { answer: undefined, answered: true });
  return Object.assign(self, { refuse, recover, state, held, rows, gateway, begun, begin });
}

const { tokens: _, ...WITHOUT_TOKENS } = sessions().begun;

test('uses a fresh token without renewal', async () => {
  const it = sessions();
  const one = await it.begin();
  it.now += 239;
  expect((await one.of('g'))?.tokens?.access).toBe('access-0');
  expect(it.renewed).toEqual([]);
  expect(await one.of('another grant')).toBeUndefined();
});

test('two gateways with many requests renew a token once', async () => {
  const it = sessions();
  const [one, two] = [await it.begin(), it.gateway()];
  it.now += 241;
  const found = await Promise.all([one, two, one, two, one].map((gateway) => gateway.of('g')));
  expect(it.renewed).toEqual(['refresh-0']);
  for (const session of found) expect(session?.tokens?.access).toMatch(/^access-[01]$/);
  expect((await two.of('g'))?.tokens?.access).toBe('access-1');
  it.now += 241;
  await two.of('g');
  expect(it.renewed).toEqual(['refresh-0', 'refresh-1']);
});

test('while the EHR does not answer, the old token is used until it ends; the EHR is asked every five seconds', async () => {
  const it = sessions();
  const one = await it.begin();
  it.refuse(new Fault('unavailable', 'down'));
  it.now += 250;
  for (let request = 0; request < 5; request++) expect((await one.of('g'))?.tokens?.access).toBe('access-0');
  expect(it.renewed).toHaveLength(1);
  it.now += 51;
  expect(await one.of('g')).toEqual(WITHOUT_TOKENS);
  it.recover();
  it.now += 6;
  expect((await one.of('g'))?.tokens?.access).toBe('access-3');
  expect(it.errors).toEqual([]);
});

test.each([true, false])(
  'IA-5, IA-9: a grant that the EHR has ended (by its own error: %s) ends at every gateway',
  async (said) => {
    const it = sessions();
    const [one, two] = [await it.begin(), it.gateway()];
    it.refuse(new EhrRefusal('over', 'invalid_grant', said));
    it.now += 241;
    expect(await one.of('g')).toBeUndefined();
    it.recover();
    for (const gateway of [one, two]) {
      expect(await gateway.of('g')).toBeUndefined();
      expect(await gateway.stands('g')).toBe(false);
    }
    expect(it.renewed).toHaveLength(1);
    expect(it.ended).toEqual(['g']);
    // A user may withdraw the consent at the EHR: that is not an error.
    expect(it.errors).toHaveLength(said ? 0 : 1);
  },
);

test('a refresh token that another gateway has used meanwhile does not end the grant', async () => {
  const it = sessions();
  const one = await it.begin();
  it.now += 241;
  it.refuse(new EhrRefusal('used', 'invalid_grant', true));
  const asked = one.of('g');
  await expect.poll(() => it.renewed, { interval: 5 }).toHaveLength(1);
  const newer = { access: 'of-the-other', refresh: 'r', renewAt: it.now + 240, expires: it.now + 300 };
  await it.gateway().keep('g', { ...it.begun, tokens: newer });
  expect((await asked)?.tokens?.access).toBe('of-the-other');
  expect(it.ended).toEqual([]);
});

test('a refused client does not end the grant: the renewal is repeated, and the error is reported', async () => {
  const it = sessions();
  const one = await it.begin();
  it.refuse(new EhrRefusal('the EHR does not know our client', 'invalid_client', true));
  it.now += 250;
  expect((await one.of('g'))?.tokens?.access).toBe('access-0');
  it.now += 50;
  expect(await one.of('g')).toEqual(WITHOUT_TOKENS);
  await expect(one.stands('g')).rejects.toMatchObject({ code: 'unavailable' });
  expect([it.ended, it.errors]).toEqual([[], [it.answer, it.answer]]);
  it.recover();
  it.now += 6;
  expect(await one.stands('g')).toBe(true);
  expect((await one.of('g'))?.tokens?.access).toBe('access-3');
});

test('IA-9 answers unavailable while the EHR cannot say whether a grant still holds', async () => {
  const it = sessions();
  const one = await it.begin();
  it.refuse(new Fault('unavailable', 'down'));
  it.now += 299;
  expect(await one.stands('g')).toBe(true);
  it.now += 1;
  await expect(one.stands('g')).rejects.toMatchObject({ code: 'unavailable', details: { retryAfter: 5 } });
});

test('without a refresh token the grant ends with the access token', async () => {
  const it = sessions({ refresh: false });
  const one = await it.begin();
  it.now += 299;
  expect((await one.of('g'))?.tokens?.access).toBe('access-0');
  expect(await one.stands('g')).toBe(true);
  it.now += 1;
  expect(await one.of('g')).toEqual(WITHOUT_TOKENS);
  expect(await one.stands('g')).toBe(false);
  expect(it.renewed).toEqual([]);
});

test('the session ends with its grant, even if its token was renewed', async () => {
  const it = sessions();
  const one = await it.begin();
  for (let hour = 0; hour < 14; hour++) {
    it.now += 250;
    await one.of('g');
  }
  expect(await one.of('g')).toBeDefined();
  it.now += 200;
  expect(await one.of('g')).toBeUndefined();
});

test('a session that ends here is forgotten, and its tokens are revoked at the EHR', async () => {
  const it = sessions();
  const one = await it.begin();
  await one.end('g');
  expect(await one.of('g')).toBeUndefined();
  await expect.poll(() => it.revoked).toEqual(['refresh-0', 'access-0']);
  await one.end('g');
  await it.held.sweep();
  expect(it.revoked).toHaveLength(2);
});

test('a session that ends during a renewal does not come back', async () => {
  const it = sessions();
  const one = await it.begin();
  it.now += 241;
  const asked = one.of('g');
  await expect.poll(() => it.renewed, { interval: 5 }).toHaveLength(1);
  await one.end('g');
  expect(await asked).toBeUndefined();
  expect(await one.of('g')).toBeUndefined();
  await it.held.idle();
  expect(new Set(it.revoked)).toEqual(new Set(['refresh-0', 'access-0', 'refresh-1', 'access-1']));
});

test('IA-9 keeps both the refusal of a patient and the new token when they happen together', async () => {
  const it = sessions();
  const [one, two] = [await it.begin(), it.gateway()];
  it.now += 241;
  const asked = one.of('g');
  await expect.poll(() => it.renewed, { interval: 5 }).toHaveLength(1);
  const refused = two.refuse('g');
  // Written as by a gateway that stopped waiting for the lock.
  await it.rows('EhrSession').put('g', { ...it.begun, refused: true }, 3600);
  await Promise.all([asked, refused]);
  const session = await two.of('g');
  expect([session?.refused, session?.tokens?.access]).toEqual([true, 'access-1']);
});

test('revokes the tokens of several renewals with their session', async () => {
  const it = sessions();
  const one = await it.begin();
  for (let renewal = 0; renewal < 3; renewal++) {
    it.now += 241;
    await one.of('g');
  }
  await one.end('g');
  await it.held.idle();
  expect(it.revoked).toEqual([3, 2, 1, 0].flatMap((number) => [`refresh-${number}`, `access-${number}`]));
});

test('two gateways renew once also when a new minute begins', async () => {
  const it = sessions();
  const [one, two] = [await it.begin(), it.gateway()];
  it.now = Math.ceil((it.now + 241) / 60) * 60 - 1;
  const first = one.of('g');
  await expect.poll(() => it.renewed, { interval: 5 }).toHaveLength(1);
  it.now += 1;
  await Promise.all([first, two.of('g')]);
  expect(it.renewed).toEqual(['refresh-0']);
});

test('a request at another gateway waits for the renewal when the old token has ended', async () => {
  const it = sessions();
  const [one, two] = [await it.begin(), it.gateway()];
  it.now += 301;
  const found = await Promise.all([one.of('g'), two.of('g')]);
  expect(found.map((session) => session?.tokens?.access)).toEqual(['access-1', 'access-1']);
  expect(it.renewed).toEqual(['refresh-0']);
});

test('a gateway that dies during a renewal blocks the others only for a minute', async () => {
  const it = sessions();
  await it.begin();
  it.now += 241;
  await it.state.lock('demo', 'g', 60);
  expect((await it.gateway().of('g'))?.tokens?.access).toBe('access-0');
  expect(it.renewed).toEqual([]);
  it.now += 58;
  expect((await it.gateway().of('g'))?.tokens?.access).toBe('access-0');
  it.now += 2;
  expect((await it.gateway().of('g'))?.tokens?.access).toBe('access-1');
});

test('IA-9 tokens of another sign-in end the grant, and new and old tokens are revoked', async () => {
  const it = sessions();
  const one = await it.begin();
  it.answer = new EhrRefusal('of another sign-in', 'invalid_grant');
  it.now += 241;
  expect(await one.of('g')).toBeUndefined();
  expect(it.ended).toEqual(['g']);
  await expect.poll(() => it.revoked).toEqual(['refresh-1', 'access-1', 'refresh-0', 'access-0']);
});

test('does not use tokens that cannot be checked, but renews with their refresh token', async () => {
  const it = sessions();
  const one = await it.begin();
  it.answer = new Fault('unavailable', 'no keys');
  it.now += 241;
  expect((await one.of('g'))?.tokens?.access).toBe('access-0');
  it.recover();
  it.now += 6;
  expect((await one.of('g'))?.tokens?.access).toBe('access-2');
  expect(it.renewed).toEqual(['refresh-0', 'refresh-1']);
});

test('revokes the tokens of a grant whose code no app redeems after two minutes', async () => {
  const it = sessions();
  await it.held.hold('h', ['refresh-0', 'access-0'], 900);
  await it.gateway().keep('g', it.begun);
  it.now += 119;
  await it.held.sweep();
  expect(it.revoked).toEqual([]);
  it.now += 1;
  await it.held.sweep();
  expect(it.revoked).toEqual(['refresh-0', 'access-0']);
  expect(await it.gateway().use('g')).toBe(false);
});

test('makes no grant from tokens that were already revoked', async () => {
  const it = sessions();
  await it.held.hold('h', ['refresh-0', 'access-0'], 900);
  it.now += 961;
  await it.held.sweep();
  expect(await it.gateway().keep('g', it.begun)).toBe(false);
});

test('revokes the tokens of an expired grant a minute later', async () => {
  const it = sessions();
  await it.begin();
  it.now += 3600;
  await it.held.sweep();
  expect(it.revoked).toEqual([]);
  it.now += 61;
  await it.held.sweep();
  expect(it.revoked).toEqual(['refresh-0', 'access-0']);
});
