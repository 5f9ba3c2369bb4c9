import { expect, test } from 'vitest';
import { Fault } from '../../../../schema/fault/fault.ts';
import { sealer } from '../../../state/sealed.ts';
import { EhrRefusal } from './ehr-refusal.ts';
import { ehrSessions, type EhrSession } from './ehr-sessions.ts';
import type { EhrTokens } from './ehr-tokens.ts';
import { heldTokens } from './held-tokens.ts';
import { sealedRows } from '../state/sealed-rows.ts';
import { sqliteState } from '../state/state.ts';

/** SM-17: how the EHR's tokens are kept. The EHR is a stand-in: a rotation that fails midway cannot be provoked in a real one. */

const START = 1_000_000;
const signIn = { iss: 'https://ehr.example.org', sub: 'u1', aud: 'us', iat: START };
const patient = { id: 'p1', identifier: [{ value: 'MRN-1' }] };

function sessions({ refresh = true } = {}) {
  const self = {
    now: START,
    /** Refresh tokens that were sent, and tokens that were revoked. */
    renewed: [] as string[],
    revoked: [] as string[],
    errors: [] as Error[],
    ended: [] as string[],
    answer: undefined as Error | undefined,
    /** Whether the EHR gives tokens, whatever is wrong with its answer. */
    answered: true,
  };
  const state = sqliteState(':memory:', () => self.now * 1000);
  const sealing = sealer(['the cookie secret of a tenant, long enough']);
  const rows = <T>(model: string) => sealedRows<T>(state, 'demo', model, sealing, () => self.now * 1000);
  const tokens = (number: number): EhrTokens => ({
    access: `access-${number}`,
    ...(refresh && { refresh: `refresh-${number}` }),
    renewAt: self.now + 240,
    expires: self.now + 300,
  });
  const now = () => self.now * 1000;
  const onError = (error: Error) => void self.errors.push(error);
  const held = heldTokens({
    ...{ deadlines: state.deadlines('demo'), sealer: sealing, now, onError },
    revoke: async (all) => void self.revoked.push(...all),
  });
  const gateway = () =>
    ehrSessions({
      ...{ held, now, onError },
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
  /** The EHR answers so, and gives no tokens. */
  const refuse = (answer: Error) => Object.assign(self, { answer, answered: false });
  const recover = () => Object.assign(self, { answer: undefined, answered: true });
  return Object.assign(self, { refuse, recover, state, held, rows, gateway, begun, begin });
}

const { tokens: _, ...WITHOUT_TOKENS } = sessions().begun;

test('a fresh token is used as it is', async () => {
  const it = sessions();
  const one = await it.begin();
  it.now += 239;
  expect((await one.of('g'))?.tokens?.access).toBe('access-0');
  expect(it.renewed).toEqual([]);
  expect(await one.of('another grant')).toBeUndefined();
});

test('two gateways and many requests renew it once', async () => {
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

test('while the EHR is down the old token serves until it ends; the EHR is asked every five seconds', async () => {
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
  'IA-5, IA-9: a grant that the EHR has ended (in its own words: %s) is over at every gateway',
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
    // A user who takes back their consent there is no error of anybody's.
    expect(it.errors).toHaveLength(said ? 0 : 1);
  },
);

test('a refresh token that another gateway has used meanwhile ends nothing', async () => {
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

test('a client that the EHR refuses ends no grant: it is tried again, and told', async () => {
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

test('IA-9 whether a grant stands is not guessed while the EHR is down', async () => {
  const it = sessions();
  const one = await it.begin();
  it.refuse(new Fault('unavailable', 'down'));
  it.now += 299;
  expect(await one.stands('g')).toBe(true);
  it.now += 1;
  await expect(one.stands('g')).rejects.toMatchObject({ code: 'unavailable', details: { retryAfter: 5 } });
});

test('without a refresh token it ends when it ends, and stands no more', async () => {
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

test('the session ends with its grant, however often its token was renewed', async () => {
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

test('what is revoked here is forgotten, and the EHR is told', async () => {
  const it = sessions();
  const one = await it.begin();
  await one.end('g');
  expect(await one.of('g')).toBeUndefined();
  await expect.poll(() => it.revoked).toEqual(['refresh-0', 'access-0']);
  await one.end('g');
  await it.held.sweep();
  expect(it.revoked).toHaveLength(2);
});

test('what is revoked while it is renewed does not come back', async () => {
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

test('IA-9 a patient whom the EHR refuses while the token is renewed stays refused, and the new token stays', async () => {
  const it = sessions();
  const [one, two] = [await it.begin(), it.gateway()];
  it.now += 241;
  const asked = one.of('g');
  await expect.poll(() => it.renewed, { interval: 5 }).toHaveLength(1);
  const refused = two.refuse('g');
  // As one that gave up waiting writes it.
  await it.rows('EhrSession').put('g', { ...it.begun, refused: true }, 3600);
  await Promise.all([asked, refused]);
  const session = await two.of('g');
  expect([session?.refused, session?.tokens?.access]).toEqual([true, 'access-1']);
});

test('tokens of several renewals are revoked with their session', async () => {
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

test('two gateways at the turn of a minute renew once: a lock has no minute', async () => {
  const it = sessions();
  const [one, two] = [await it.begin(), it.gateway()];
  it.now = Math.ceil((it.now + 241) / 60) * 60 - 1;
  const first = one.of('g');
  await expect.poll(() => it.renewed, { interval: 5 }).toHaveLength(1);
  it.now += 1;
  await Promise.all([first, two.of('g')]);
  expect(it.renewed).toEqual(['refresh-0']);
});

test('a request at another gateway waits for the token that is being renewed, where the old one has ended', async () => {
  const it = sessions();
  const [one, two] = [await it.begin(), it.gateway()];
  it.now += 301;
  const found = await Promise.all([one.of('g'), two.of('g')]);
  expect(found.map((session) => session?.tokens?.access)).toEqual(['access-1', 'access-1']);
  expect(it.renewed).toEqual(['refresh-0']);
});

test('a gateway that dies while it renews keeps the others away for a minute, not for ever', async () => {
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

test('IA-9 tokens that are not of this sign-in end the grant: new and old ones are revoked', async () => {
  const it = sessions();
  const one = await it.begin();
  it.answer = new EhrRefusal('of another sign-in', 'invalid_grant');
  it.now += 241;
  expect(await one.of('g')).toBeUndefined();
  expect(it.ended).toEqual(['g']);
  await expect.poll(() => it.revoked).toEqual(['refresh-1', 'access-1', 'refresh-0', 'access-0']);
});

test('tokens that cannot be judged are not used; the next answer to their refresh token is', async () => {
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

test('a grant whose code no app redeems is given back after two minutes', async () => {
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

test('what waited so long that it was given back makes no grant', async () => {
  const it = sessions();
  await it.held.hold('h', ['refresh-0', 'access-0'], 900);
  it.now += 961;
  await it.held.sweep();
  expect(await it.gateway().keep('g', it.begun)).toBe(false);
});

test('a grant that ends by its time is given back a minute later', async () => {
  const it = sessions();
  await it.begin();
  it.now += 3600;
  await it.held.sweep();
  expect(it.revoked).toEqual([]);
  it.now += 61;
  await it.held.sweep();
  expect(it.revoked).toEqual(['refresh-0', 'access-0']);
});
