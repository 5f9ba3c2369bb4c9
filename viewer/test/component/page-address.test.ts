import { expect, test } from 'vitest';
import { PageAddress } from '../../src/state/page-address.ts';

test('the patient is in the tab’s storage: not in the address, and after a sign-out nowhere', () => {
  history.replaceState(null, '', '?tenant=open&patient=helen&study=1.2');
  const address = new PageAddress();
  const place = { tenant: 'open', patient: 'helen', study: '1.2' };
  expect(address.read()).toEqual(place);
  expect(location.search).toBe('?tenant=open&study=1.2');
  address.write({ tenant: 'open', patient: 'samir' }, 'pushState');
  address.write({ tenant: 'open', patient: 'helen' }, 'pushState');
  expect(Object.values(JSON.parse(sessionStorage.getItem('viewer.patients')!) as object)).toEqual([
    'helen',
    'samir',
  ]);
  expect(new PageAddress().read()).toEqual({ tenant: 'open', patient: 'helen' });
  new PageAddress().forget();
  // A place that was to be written before does not bring the patient back.
  address.writePlace({ ...place, image: 3 });
  expect(address.read()).toEqual({ tenant: 'open', study: '1.2', image: 3 });
  expect(JSON.stringify([history.state, { ...sessionStorage }])).not.toMatch(/helen|samir/);
});

test('another tab does not know the patient', () => {
  history.replaceState(null, '', '?tenant=open');
  new PageAddress().write({ tenant: 'open', patient: 'helen' });
  const other = new Map<string, string>();
  const storage = { getItem: (key: string) => other.get(key) ?? null } as Storage;
  expect(new PageAddress(window, storage).read()).toEqual({ tenant: 'open' });
});
