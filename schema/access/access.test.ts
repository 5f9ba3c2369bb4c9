import { describe, expect, test } from 'vitest';
import type { Access } from './access.ts';
import { grantFor, open, requirePatient, seal, sealingKey } from './access.ts';

const NOW = 1_800_000_000;
const access: Access = {
  tenant: 't',
  client: 'app',
  patients: [{ id: 'p1', studies: ['1.2.3'] }],
  permissions: [{ level: 'patient', type: 'ImagingStudy', interactions: 'rs' }],
  expires: NOW + 600,
  clinicalToken: 'secret',
};
const key = sealingKey('a'.repeat(32));
const other = sealingKey('b'.repeat(32));

describe('reach (IA-7)', () => {
  test.each<[string, Access['patients'], string, boolean]>([
    ['own patient', access.patients, 'p1', true],
    ['another patient', access.patients, 'p2', false],
    ['no patient (IA-9)', [], 'p1', false],
    ['all patients', 'all', 'p2', true],
  ])('%s: %o reaches %s → %s', (_who, patients, id, reached) => {
    const caller = { ...access, patients };
    expect(grantFor(caller, id) !== undefined).toBe(reached);
    if (reached) expect(requirePatient(caller, id).id).toBe(id);
    else expect(() => requirePatient(caller, id)).toThrow(expect.objectContaining({ code: 'forbidden' }));
  });
});

describe('sealed Access', () => {
  test('opens to the same value with any of the keys', async () => {
    const sealed = await seal(access, [key], 'imaging', NOW);
    expect(await open(sealed, [other, key], 'imaging', NOW + 59)).toEqual({ access, until: NOW + 60 });
    expect(sealed).not.toContain('secret');
  });

  test.each<[string, (sealed: string) => Promise<unknown>]>([
    [
      'after a minute, and the 5 s by which clocks may differ',
      (sealed) => open(sealed, [key], 'imaging', NOW + 66),
    ],
    ['for another subgraph', (sealed) => open(sealed, [key], 'clinical', NOW)],
    ['with another key', (sealed) => open(sealed, [other], 'imaging', NOW)],
    ['when it was tampered with', (sealed) => open(`${sealed.slice(0, -3)}AAA`, [key], 'imaging', NOW)],
    ['when it was not sealed', () => open(JSON.stringify(access), [key], 'imaging', NOW)],
    ['without a key', (sealed) => open(sealed, [], 'imaging', NOW)],
  ])('does not open %s', async (_how, attempt) => {
    await expect(attempt(await seal(access, [key], 'imaging', NOW))).rejects.toMatchObject({
      code: 'unauthenticated',
    });
  });

  test('opens although the clocks differ by some seconds', async () => {
    const sealed = await seal(access, [key], 'imaging', NOW);
    expect(await open(sealed, [key], 'imaging', NOW + 64)).toMatchObject({ access });
  });

  test('does not open after the Access has expired', async () => {
    const sealed = await seal({ ...access, expires: NOW + 5 }, [key], 'imaging', NOW);
    await expect(open(sealed, [key], 'imaging', NOW + 11)).rejects.toMatchObject({ code: 'unauthenticated' });
  });

  test('refuses a short secret', () => {
    expect(() => sealingKey('short')).toThrow('32 characters');
  });
});
