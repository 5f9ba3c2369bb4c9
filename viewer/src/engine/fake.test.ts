import { expect, test } from 'vitest';
import { Trouble } from '../data/trouble.ts';
import type { Stack } from '../domain/series/stacks.ts';
import { FakeEngine } from './fake.ts';

const stack: Stack = {
  key: 's',
  frames: ['a', 'b', 'c'].map((id) => ({
    id,
    name: { study: '1', series: '2', instance: id, frame: 1 },
    metadata: {},
    bytes: 1,
  })),
};

function opened(immediate: boolean) {
  const view = new FakeEngine({ immediate }).open({} as HTMLElement);
  const heard: string[] = [];
  view.onShown(({ frame, index }) => heard.push(`${frame} ${index}`));
  view.onTrouble(({ frame, trouble }) => heard.push(`${frame} ${trouble.kind}`));
  return { view, heard };
}

test('the test says what is shown and what fails', () => {
  const { view, heard } = opened(false);
  view.setStack(stack, 1);
  view.want(2);
  expect(heard).toEqual([]);
  view.show(1);
  view.fail(new Trouble('damaged', ''));
  view.show();
  expect(heard).toEqual(['b 1', 'c damaged', 'c 2']);
});

test('an immediate one shows what is wanted', () => {
  const { view, heard } = opened(true);
  view.setStack(stack, 1);
  view.want(0);
  expect(heard).toEqual(['b 1', 'a 0']);
});
