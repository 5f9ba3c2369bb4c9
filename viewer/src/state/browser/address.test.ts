import { describe, expect, test } from 'vitest';
import { changedAddress, formatAddress, isNewPage, parseAddress, type Address } from './address.ts';

const FULL =
  'tenant=open&study=1.2&series=1.2.3&stack=axial&layout=1x2&screen=stage&image=87&window=40%2F400&beside=7.8%2F7.8.9%2F12';

describe('the address', () => {
  test('what is written is read again', () => {
    const address = parseAddress(new URLSearchParams(FULL));
    expect(address).toMatchObject({
      study: '1.2',
      image: 87,
      window: { centre: 40, width: 400 },
      beside: { study: '7.8', series: '7.8.9', image: 12 },
    });
    expect(String(formatAddress(address))).toBe(FULL);
  });

  test('the same place has the same words, whatever was known first', () =>
    expect(String(formatAddress({ image: 3, study: '1.2', tenant: 'open' }))).toBe(
      'tenant=open&study=1.2&image=3',
    ));

  test('a patient is read, and not written', () => {
    const address = parseAddress(new URLSearchParams('tenant=open&patient=p&study=1.2'));
    expect(address.patient).toBe('p');
    expect(String(formatAddress(address))).toBe('tenant=open&study=1.2');
  });

  test.each([
    ['', { tenant: 'demo' }],
    ['tenant=demo&patient=p&study=1.2', { tenant: 'demo', patient: 'p', study: '1.2' }],
    ['image=0&window=1&layout=9x9&screen=none&patient=', { tenant: 'demo' }],
    ['image=1.5&window=1/-2', { tenant: 'demo' }],
    ['code=secret&state=s', { tenant: 'demo' }],
    ['beside=7.8', { tenant: 'demo', beside: { study: '7.8' } }],
    ['beside=7.8/7.8.9', { tenant: 'demo', beside: { study: '7.8', series: '7.8.9' } }],
    ['beside=7.8//3', { tenant: 'demo', beside: { study: '7.8' } }],
    ['beside=7.8/7.8.9/0', { tenant: 'demo', beside: { study: '7.8', series: '7.8.9' } }],
    ['beside=/7.8.9', { tenant: 'demo' }],
  ])('of %j', (query, expected) => expect(parseAddress(new URLSearchParams(query))).toEqual(expected));

  test('without a tenant it is that of the gateway', () => {
    expect(parseAddress(new URLSearchParams('study=1.2'), 'hospital').tenant).toBe('hospital');
    expect(parseAddress(new URLSearchParams('tenant=open'), 'hospital').tenant).toBe('open');
  });

  const whole = { ...parseAddress(new URLSearchParams(FULL)), patient: 'p' };
  test.each<[string, Partial<Address>, string]>([
    ['another image', { image: 3 }, FULL.replace('87', '3')],
    [
      'another series has other images',
      { series: '1.2.4' },
      'tenant=open&study=1.2&series=1.2.4&layout=1x2&screen=stage&beside=7.8%2F7.8.9%2F12',
    ],
    ['another study', { study: '9' }, 'tenant=open&study=9&screen=stage'],
    ['another patient', { patient: 'q' }, 'tenant=open'],
    ['the same patient', { patient: 'p' }, FULL],
  ])('%s', (_name, changes, expected) => {
    expect(new URLSearchParams(expected).toString().split('&').sort()).toEqual(
      String(formatAddress(changedAddress(whole, changes)))
        .split('&')
        .sort(),
    );
  });

  test('another study without a comparison keeps the layout', () =>
    expect(changedAddress({ tenant: 'open', study: '1.2', layout: '2x2' }, { study: '9' })).toEqual({
      tenant: 'open',
      study: '9',
      layout: '2x2',
    }));

  test.each<[Partial<Address>, boolean]>([
    [{ image: 3 }, false],
    [{ series: 'x' }, false],
    [{ layout: '2x2' }, false],
    [{ beside: { study: '7.8', series: '7.8.10' } }, false],
    [{ beside: { study: 'x' } }, true],
    [{ beside: undefined } as never, true],
    [{ study: 'x' }, true],
    [{ screen: 'timeline' }, true],
    [{ patient: 'x' }, true],
  ])('%j is a step for Back: %s', (changes, expected) =>
    expect(isNewPage(whole, changedAddress(whole, changes))).toBe(expected),
  );
});
