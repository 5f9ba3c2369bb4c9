import { expect, test } from 'vitest';
import { seal, sealingKey, type Access } from '../../schema/access/access.ts';
import { parseScopes } from '../../schema/access/scopes.ts';
import { accessOpener } from './opened-access.ts';

const NOW = 1_790_000_000;
const key = sealingKey('a key that two processes have in common');
const access: Access = {
  tenant: 't',
  permissions: parseScopes('patient/*.rs'),
  expires: NOW + 3600,
  patients: [{ id: 'p1', identity: { id: 'p1', identifier: [] } }],
};

/** An opener of the imaging subgraph, and its clock. */
function opener() {
  const clock = { seconds: NOW };
  const open = accessOpener({ service: 'imaging', keys: [key], now: () => clock.seconds * 1000 });
  return { open, clock };
}

test('requests with one seal share what is in it, which nobody can change, and have an Access of their own', async () => {
  const { open } = opener();
  const sealed = await seal(access, [key], 'imaging', NOW);
  const [one, other] = [await open(sealed), await open(sealed)];
  expect([one, other]).toEqual([access, access]);
  expect(one).not.toBe(other);
  expect(one.patients).toBe(other.patients);
  expect(Object.isFrozen(one.patients)).toBe(true);
});

test('a seal that was opened is refused when its minute is over', async () => {
  const { open, clock } = opener();
  const sealed = await seal(access, [key], 'imaging', NOW);
  await open(sealed);
  clock.seconds = NOW + 59;
  expect(await open(sealed)).toEqual(access);
  clock.seconds = NOW + 66;
  await expect(open(sealed)).rejects.toMatchObject({ code: 'unauthenticated' });
});

test('a seal that differs in one character is opened by itself, and refused', async () => {
  const { open } = opener();
  const sealed = await seal(access, [key], 'imaging', NOW);
  await open(sealed);
  await expect(open(`${sealed.slice(0, -3)}AAA`)).rejects.toMatchObject({ code: 'unauthenticated' });
  await expect(open('')).rejects.toMatchObject({ code: 'unauthenticated' });
});
