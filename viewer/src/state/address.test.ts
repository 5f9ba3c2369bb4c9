import { describe, expect, test } from 'vitest';
import { changedAddress, formatAddress, isNewPage, parseAddress, type Address } from './address.ts';

const FULL =
  'tenant=open&patient=p&study=1.2&series=1.2.3&stack=axial&layout=1x2&screen=stage&image=87&window=40%2F400';

describe('the address', () => {
  test('what is written is read again', () => {
    const address = parseAddress(new URLSearchParams(FULL));
    expect(address).toMatchObject({ study: '1.2', image: 87, window: { centre: 40, width: 400 } });
    expect(String(formatAddress(address))).toBe(FULL);
  });

  test.each([
    ['', { tenant: 'demo' }],
    ['tenant=demo&patient=p&study=1.2', { tenant: 'demo', patient: 'p', study: '1.2' }],
    ['image=0&window=1&layout=9x9&screen=none&patient=', { tenant: 'demo' }],
    ['image=1.5&window=1/-2', { tenant: 'demo' }],
    ['code=secret&state=s', { tenant: 'demo' }],
  ])('of %j', (query, expected) => expect(parseAddress(new URLSearchParams(query))).toEqual(expected));

  test('without a tenant it is that of the gateway', () => {
    expect(parseAddress(new URLSearchParams('study=1.2'), 'hospital').tenant).toBe('hospital');
    expect(parseAddress(new URLSearchParams('tenant=open'), 'hospital').tenant).toBe('open');
  });

  const whole = parseAddress(new URLSearchParams(FULL));
  test.each<[string, Partial<Address>, string]>([
    ['another image', { image: 3 }, FULL.replace('87', '3')],
    [
      'another series has other images',
      { series: '1.2.4' },
      'tenant=open&patient=p&study=1.2&series=1.2.4&layout=1x2&screen=stage',
    ],
    ['another study', { study: '9' }, 'tenant=open&patient=p&study=9&layout=1x2&screen=stage'],
    ['another patient', { patient: 'q' }, 'tenant=open&patient=q&layout=1x2'],
    ['the same patient', { patient: 'p' }, FULL],
  ])('%s', (_name, changes, expected) => {
    expect(new URLSearchParams(expected).toString().split('&').sort()).toEqual(
      String(formatAddress(changedAddress(whole, changes)))
        .split('&')
        .sort(),
    );
  });

  test.each<[Partial<Address>, boolean]>([
    [{ image: 3 }, false],
    [{ series: 'x' }, false],
    [{ layout: '2x2' }, false],
    [{ study: 'x' }, true],
    [{ screen: 'timeline' }, true],
    [{ patient: 'x' }, true],
  ])('%j is a step for Back: %s', (changes, expected) =>
    expect(isNewPage(whole, changedAddress(whole, changes))).toBe(expected),
  );
});
