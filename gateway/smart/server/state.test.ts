import { expect, test } from 'vitest';
import { sqliteState } from './state.ts';

const open = () => {
  const clock = { now: 1_000_000 };
  const state = sqliteState(':memory:', () => clock.now * 1000);
  return { clock, state };
};

test('rows belong to one tenant and one model', async () => {
  const { state } = open();
  await state.model('a', 'AccessToken').upsert('id', { kind: 'AccessToken', jti: 'id' }, 60);
  expect(await state.model('a', 'AccessToken').find('id')).toEqual({ kind: 'AccessToken', jti: 'id' });
  expect(await state.model('b', 'AccessToken').find('id')).toBeUndefined();
  expect(await state.model('a', 'RefreshToken').find('id')).toBeUndefined();
});

test('what has expired is gone, from counts at once, and in time from the file', async () => {
  const { state, clock } = open();
  const model = state.model('a', 'Interaction');
  await model.upsert('old', {}, 60);
  clock.now += 61;
  expect(state.count('a', 'Interaction')).toBe(0);
  clock.now += 60;
  expect(await model.find('old')).toBeUndefined();
  clock.now -= 121;
  for (let i = 0; i < 300; i++) await model.upsert(`new${i}`, {}, 10_000);
  expect(await model.find('old')).toBeDefined();
  clock.now += 121;
  for (let i = 0; i < 300; i++) await model.upsert(`newer${i}`, {}, 10_000);
  clock.now -= 121;
  expect(await model.find('old')).toBeUndefined();
});

test('a code is consumed once, and remembered as consumed', async () => {
  const { state } = open();
  const model = state.model('a', 'AuthorizationCode');
  await model.upsert('c', { grantId: 'g' }, 60);
  await model.consume('c');
  expect(await model.find('c')).toMatchObject({ consumed: 1_000_000 });
  await expect(model.consume('c')).rejects.toMatchObject({ error: 'invalid_grant' });
});

test('revoking a grant takes its rows of that model and no others', async () => {
  const { state } = open();
  const model = state.model('a', 'AccessToken');
  await model.upsert('1', { grantId: 'g' }, 60);
  await model.upsert('2', { grantId: 'h' }, 60);
  await model.revokeByGrantId('g');
  expect(await model.find('1')).toBeUndefined();
  expect(await model.find('2')).toBeDefined();
});

test('a session is found by its uid, with its id', async () => {
  const { state } = open();
  const model = state.model('a', 'Session');
  await model.upsert('s', { kind: 'Session', jti: 's', uid: 'u' }, 60);
  expect(await model.findByUid('u')).toMatchObject({ jti: 's' });
});
