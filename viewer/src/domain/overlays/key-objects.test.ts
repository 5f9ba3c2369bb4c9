import { expect, test } from 'vitest';
import { items, of } from '../../../test/setup/overlay-objects.ts';
import type { Attribute, Instance } from '../instance.ts';
import { keyObjects } from './key-objects.ts';
import type { Content } from './overlay.ts';
import type { Target } from './target.ts';

const code = (value: string, meaning: string): Attribute =>
  items({ '00080100': of('SH', value), '00080102': of('SH', 'DCM'), '00080104': of('LO', meaning) });
const reference = (instance: string, ...frames: number[]): Instance => ({
  '0040A040': of('CS', 'IMAGE'),
  '00081199': items({
    '00081155': of('UI', instance),
    ...(frames.length > 0 && { '00081160': of('IS', ...frames) }),
  }),
});
const words = (text: string): Instance => ({
  '0040A040': of('CS', 'TEXT'),
  '0040A043': code('113012', 'Key Object Description'),
  '0040A160': of('UT', text),
});
const modifier = (value: string, meaning: string): Instance => ({
  '0040A040': of('CS', 'CODE'),
  '0040A043': code('113011', 'Document Title Modifier'),
  '0040A168': code(value, meaning),
});
const evidence = (study: string, instance: string): Instance => ({
  '0020000D': of('UI', study),
  '00081115': items({
    '0020000E': of('UI', `${study}.1`),
    '00081199': items({ '00081155': of('UI', instance) }),
  }),
});
const selection = (title: readonly [string, string], ...content: Instance[]): Instance => ({
  '0020000D': of('UI', '1'),
  '0040A043': code(...title),
  '0040A375': items(evidence('1', '1.1.1'), evidence('1', '1.1.2'), evidence('9', '9.1.1')),
  '0040A730': items(...content),
});
const target = (instance: string, frame = 1): Target => ({
  id: `1/1.1/${instance}/${frame}`,
  instance,
  frame,
  metadata: {},
  rectangle: undefined,
  halfSlice: 1,
});
function contentOf(one: Instance): Content {
  const reading = keyObjects.read(one, () => Promise.reject(new Error('no pixels')));
  if (reading instanceof Promise || 'refused' in reading) throw new Error('not read');
  return reading.content;
}
const shapesOn = (content: Content, on: Target) => content.shapesOn(on, content.parts[0]!);

test('images that somebody chose have a star with the title and the words; frames are counted from 1', () => {
  const content = contentOf(
    selection(['113000', 'Of Interest'], words('Nodule'), reference('1.1.1'), reference('1.1.2', 2)),
  );
  expect(content.parts.map(({ name }) => name)).toEqual(['Of Interest']);
  const star = [{ kind: 'star', text: 'Of Interest\nNodule' }];
  expect(shapesOn(content, target('1.1.1'))).toEqual(star);
  expect(shapesOn(content, target('1.1.2', 1))).toEqual([]);
  expect(shapesOn(content, target('1.1.2', 2))).toEqual(star);
  expect(shapesOn(content, target('1.1.3'))).toEqual([]);
});

test.each([
  ['113001', 'Rejected for Quality Reasons', 'crossed'],
  ['113010', 'Quality Issue', 'crossed'],
  ['113037', 'Rejected for Patient Safety Reasons', 'crossed'],
  ['113038', 'Incorrect Modality Worklist Entry', 'crossed'],
  ['113039', 'Data Retention Policy Expired', 'crossed'],
  ['113004', 'For Teaching', 'star'],
  ['113013', 'Best In Set', 'star'],
])('%s %s: %s', (value, meaning, kind) => {
  const one = selection([value, meaning], modifier('111210', 'Motion blur'), reference('1.1.1'));
  const text = `${meaning}, Motion blur`;
  expect(shapesOn(contentOf(one), target('1.1.1'))).toEqual([{ kind, text }]);
});

test('images of other studies are counted, and not drawn', () => {
  const content = contentOf(selection(['113000', 'Of Interest'], reference('1.1.1'), reference('9.1.1')));
  expect([...content.instances]).toEqual(['1.1.1']);
  expect(content.elsewhere).toBe(1);
  expect(shapesOn(content, target('9.1.1'))).toEqual([]);
});

test.each<[string, Instance]>([
  ['no images', selection(['113000', 'Of Interest'], words('Nodule'))],
  ['a list of all that a study has', selection(['113030', 'Manifest'], reference('1.1.1'))],
  ['nothing', {}],
])('%s: there is nothing to draw', (_what, one) => {
  expect(keyObjects.read(one, () => Promise.reject(new Error('no pixels')))).toEqual({ refused: 'empty' });
});
