import { expect, test, vi } from 'vitest';
import { parseTenant } from '../../schema/tenant/tenant.ts';
import { nobody, remoteRecord } from './record-functions.ts';

const tenantOf = (key: string) => {
  const file = {
    authorization: { type: 'mock', disableAuthzChecks: true },
    images: { type: 'folder', path: '/images', lookup: 'studies-by-mrn' },
  };
  return parseTenant(file, { key, path: key, dynamic: false, directory: '/', environment: {} }).tenant;
};

test('whether a record has a type is asked once for all callers of a tenant, and again after an error', async () => {
  const call = vi.fn<(name: string, caller: object, asked: object) => Promise<boolean>>();
  const record = remoteRecord({ call: call as never });
  const ask = (key: string, type = 'ImagingStudy') =>
    record.open(tenantOf(key), nobody(tenantOf(key))).holds(type);
  call.mockRejectedValueOnce(new Error('away'));
  await expect(ask('one')).rejects.toThrow('away');
  call.mockResolvedValue(false);
  expect([await ask('one'), await ask('one')]).toEqual([false, false]);
  expect(call).toHaveBeenCalledTimes(2);
  await Promise.all([ask('two'), ask('one', 'Observation')]);
  expect(call).toHaveBeenCalledTimes(4);
});
