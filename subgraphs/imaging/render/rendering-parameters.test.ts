import { expect, test } from 'vitest';
import { parseAccept } from '../../../schema/http/media-ranges.ts';
import { negotiated, renderingOf } from './rendering-parameters.ts';

const parsed = (query: string) => renderingOf(new URLSearchParams(query));

test.each([
  ['', {}],
  ['window=40,400,linear', { window: { center: 40, width: 400, shape: 'linear' } }],
  ['window=-0.5,1e3,LINEAR_EXACT', { window: { center: -0.5, width: 1000, shape: 'linear-exact' } }],
  ['window=40,400', { window: { center: 40, width: 400, shape: 'linear' } }],
  ['window=1,.5,sigmoid', { window: { center: 1, width: 0.5, shape: 'sigmoid' } }],
  ['viewport=512,256', { viewport: { width: 512, height: 256 } }],
  [
    'viewport=512,256,1.5,0,-100,50',
    { viewport: { width: 512, height: 256, region: { x: 1.5, y: 0, width: -100, height: 50 } } },
  ],
  [
    'viewport=512,256,,,,',
    { viewport: { width: 512, height: 256, region: { x: 0, y: 0, width: 0, height: 0 } } },
  ],
  ['quality=1', { quality: 1 }],
  ['annotation=patient,technique', { annotation: ['patient', 'technique'] }],
  ['annotation=overlay&iccprofile=srgb&other=1', { annotation: ['overlay'] }],
])('DW-8 %s', (query, rendering) => {
  expect(parsed(query)).toEqual({ annotation: [], ...rendering });
});

test.each([
  ['window=40', 'window is center,width'],
  ['window=40,0,linear', 'width at least 1'],
  ['window=40,0.5', 'width at least 1'],
  ['window=40,-1,sigmoid', 'width above 0'],
  ['window=a,b,linear', 'window is'],
  ['window=40,400,cubic', 'linear-exact or sigmoid'],
  ['window=40,400,linear,1', 'window is'],
  ['window=Infinity,400', 'window is'],
  ['window=1,2&window=3,4', 'Give window once'],
  ['viewport=512', 'viewport is vw,vh'],
  ['viewport=0,10', 'viewport is'],
  ['viewport=10.5,10', 'viewport is'],
  ['viewport=10,10,1', 'viewport is'],
  ['viewport=10,10,-1,0,5,5', 'viewport is'],
  ['viewport=9000,10', 'at most 8192'],
  ['quality=0', '1 to 100'],
  ['quality=101', '1 to 100'],
  ['quality=high', '1 to 100'],
  ['annotation=names', 'patient, technique, overlay'],
])('DW-8 refuses %s and says what is wanted', (query, message) => {
  expect(() => parsed(query)).toThrow(message);
});

const GIVEN = ['image/jpeg', 'image/png', 'image/webp'] as const;

test.each([
  [undefined, 'image/jpeg'],
  ['*/*', 'image/jpeg'],
  ['image/*', 'image/jpeg'],
  ['image/png', 'image/png'],
  ['image/png;q=0.5, image/webp', 'image/webp'],
  ['image/avif,image/webp,*/*;q=0.8', 'image/webp'],
  ['text/html, */*;q=0.1', 'image/jpeg'],
])('DW-11 Accept %s gives %s', (accept, type) => {
  expect(negotiated(parseAccept(accept), GIVEN)).toBe(type);
});

test.each(['text/html', 'image/jp2', 'multipart/related; type="image/jpeg"', 'image/png;q=0'])(
  'DW-11 answers 406 for Accept %s, with the types that can be given',
  (accept) => {
    expect(() => negotiated(parseAccept(accept), GIVEN)).toThrow('image/jpeg, image/png, image/webp');
  },
);
