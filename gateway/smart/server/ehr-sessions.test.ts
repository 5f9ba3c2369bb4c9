import { expect, test } from 'vitest';
import { Fault } from '../../../schema/fault.ts';
import { sealer } from '../../shared/sealed.ts';
import type { EhrTokens } from './ehr-client.ts';
import { EhrRefusal } from './ehr-refusal.ts';
import { ehrSessions, type EhrSession } from './ehr-sessions.ts';
import { sealedRows } from './sealed-rows.ts';
import { sqliteState } from './state.ts';

/** SM-17: how the EHR's tokens are kept. The EHR is a stand-in: a rotation that fails midway cannot be provoked in a real one. */

const START = 1_000_000;
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
  const gateway = () =>
    ehrSessions({
      rows: rows<EhrSession>('EhrSession'),
      claims: rows<true>('EhrRenewal'),
      client: {
        async refresh(token, id) {
          expect(id).toBe('p1');
          self.renewed.push(token);
          await new Promise((done) => setTimeout(done, 50));
          if (self.answer) throw self.answer;
          return tokens(self.renewed.length);
        },
        revoke: async ({ access }) => void self.revoked.push(access),
      },
      onEnded: async (grantId) => void self.ended.push(grantId),
      onError: (error) => self.errors.push(error),
      now: () => self.now * 1000,
    });
  const begun = { tokens: tokens(0), patient, until: self.now + 3600 };
  return Object.assign(self, { gateway, begun });
}

test('a fresh token is used as it is', async () => {
  const it = sessions();
  const one = it.gateway();
  await one.keep('g', it.begun);
  it.now += 239;
  expect((await one.of('g'))?.tokens?.access).toBe('access-0');
  expect(it.renewed).toEqual([]);
  expect(await one.of('another grant')).toBeUndefined();
});

test('two gateways and many requests renew it once', async () => {
  const it = sessions();
  const [one, two] = [it.gateway(), it.gateway()];
  await one.keep('g', it.begun);
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
  const one = it.gateway();
  await one.keep('g', it.begun);
  it.answer = new Fault('unavailable', 'down');
  it.now += 250;
  for (let request = 0; request < 5; request++) expect((await one.of('g'))?.tokens?.access).toBe('access-0');
  expect(it.renewed).toHaveLength(1);
  it.now += 51;
  expect(await one.of('g')).toEqual({ patient, until: it.begun.until });
  it.answer = undefined;
  it.now += 6;
  expect((await one.of('g'))?.tokens?.access).toBe('access-3');
  expect(it.errors).toEqual([]);
});

test.each([true, false])(
  'IA-5, IA-9: a grant that the EHR has ended (in its own words: %s) is over at every gateway',
  async (said) => {
    const it = sessions();
    const [one, two] = [it.gateway(), it.gateway()];
    await one.keep('g', it.begun);
    it.answer = new EhrRefusal('over', 'invalid_grant', said);
    it.now += 241;
    expect(await one.of('g')).toBeUndefined();
    it.answer = undefined;
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
  const one = it.gateway();
  await one.keep('g', it.begun);
  it.now += 241;
  it.answer = new EhrRefusal('used', 'invalid_grant', true);
  const asked = one.of('g');
  await expect.poll(() => it.renewed, { interval: 5 }).toHaveLength(1);
  const newer = { access: 'of-the-other', refresh: 'r', renewAt: it.now + 240, expires: it.now + 300 };
  await it.gateway().keep('g', { ...it.begun, tokens: newer });
  expect((await asked)?.tokens?.access).toBe('of-the-other');
  expect(it.ended).toEqual([]);
});

test('a client that the EHR refuses ends no grant: it is tried again, and told', async () => {
  const it = sessions();
  const one = it.gateway();
  await one.keep('g', it.begun);
  it.answer = new EhrRefusal('the EHR does not know our client', 'invalid_client', true);
  it.now += 250;
  expect((await one.of('g'))?.tokens?.access).toBe('access-0');
  it.now += 50;
  expect(await one.of('g')).toEqual({ patient, until: it.begun.until });
  await expect(one.stands('g')).rejects.toMatchObject({ code: 'unavailable' });
  expect([it.ended, it.errors]).toEqual([[], [it.answer, it.answer]]);
  it.answer = undefined;
  it.now += 6;
  expect(await one.stands('g')).toBe(true);
  expect((await one.of('g'))?.tokens?.access).toBe('access-3');
});

test('IA-9 whether a grant stands is not guessed while the EHR is down', async () => {
  const it = sessions();
  const one = it.gateway();
  await one.keep('g', it.begun);
  it.answer = new Fault('unavailable', 'down');
  it.now += 299;
  expect(await one.stands('g')).toBe(true);
  it.now += 1;
  await expect(one.stands('g')).rejects.toMatchObject({ code: 'unavailable', details: { retryAfter: 5 } });
});

test('without a refresh token it ends when it ends, and stands no more', async () => {
  const it = sessions({ refresh: false });
  const one = it.gateway();
  await one.keep('g', it.begun);
  it.now += 299;
  expect((await one.of('g'))?.tokens?.access).toBe('access-0');
  expect(await one.stands('g')).toBe(true);
  it.now += 1;
  expect(await one.of('g')).toEqual({ patient, until: it.begun.until });
  expect(await one.stands('g')).toBe(false);
  expect(it.renewed).toEqual([]);
});

test('the session ends with its grant, however often its token was renewed', async () => {
  const it = sessions();
  const one = it.gateway();
  await one.keep('g', it.begun);
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
  const one = it.gateway();
  await one.keep('g', it.begun);
  await one.end('g');
  expect(await one.of('g')).toBeUndefined();
  expect(it.revoked).toEqual(['access-0']);
  await one.end('g');
  expect(it.revoked).toHaveLength(1);
});

test('what is revoked while it is renewed does not come back', async () => {
  const it = sessions();
  const one = it.gateway();
  await one.keep('g', it.begun);
  it.now += 241;
  const asked = one.of('g');
  await expect.poll(() => it.renewed, { interval: 5 }).toHaveLength(1);
  await one.end('g');
  expect(await asked).toBeUndefined();
  expect(await one.of('g')).toBeUndefined();
  expect(it.revoked).toEqual(['access-0', 'access-1']);
});
