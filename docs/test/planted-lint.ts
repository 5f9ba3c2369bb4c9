const lines = (count: number) => 'export const a = 1;\n'.repeat(count).replace(/\ba\b/g, () => `a${next++}`);
let next = 0;
const ASYNC = 'async function wait(): Promise<void> { await 0; }\n';

/** Files that break one rule of `npm run check:lint` each, or none if the rule is empty. */
export const LINT: readonly (readonly [rule: string, file: string, text: string])[] = [
  ['@typescript-eslint/no-floating-promises', 'gateway/floating.ts', `${ASYNC}wait();`],
  ['@typescript-eslint/no-floating-promises', 'subgraphs/floating.test.ts', `${ASYNC}wait();`],
  ['@typescript-eslint/no-floating-promises', 'viewer/src/floating.ts', `${ASYNC}wait();`],
  ['@typescript-eslint/no-misused-promises', 'schema/misused.ts', `${ASYNC}if (wait()) { void 0; }`],
  [
    '@typescript-eslint/no-misused-promises',
    'gateway/misused.ts',
    `${ASYNC}[1].forEach(async () => { await wait(); });`,
  ],
  ['@typescript-eslint/no-explicit-any', 'gateway/any.ts', 'export const a: any = 1;'],
  [
    '@typescript-eslint/no-explicit-any',
    'viewer/src/Any.svelte',
    '<script lang="ts">const a: any = 1;</script>{a}',
  ],
  [
    '@typescript-eslint/max-params',
    'gateway/parameters.ts',
    'export const f = (a: 1, b: 1, c: 1, d: 1, e: 1) => [a, b, c, d, e];',
  ],
  ['max-lines', 'gateway/long.ts', lines(301)],
  ['max-lines', 'gateway/long.test.ts', lines(301)],
  ['max-lines-per-function', 'gateway/function.ts', `export function f() {\n${'Math.max();\n'.repeat(80)}}`],
  ['prefer-const', 'gateway/const.ts', 'export function f() {\n  let a = 1;\n  return a;\n}'],
  ['house/plain-docs', 'gateway/question.ts', '/** What it is. */\nexport const a = 1;'],
  ['eqeqeq', 'gateway/equal.ts', 'export const f = (a: unknown) => a == 1;'],
  ['no-restricted-syntax', 'gateway/default.ts', 'export default 1;'],
  ['no-restricted-syntax', 'gateway/default-function.ts', 'export default function a() {}'],
  ['no-restricted-syntax', 'gateway/default.test.ts', 'export default 1;'],
  ['no-restricted-syntax', 'schema/whole.ts', `export * from './any.ts';`],
  [
    'no-restricted-syntax',
    'schema/spread.ts',
    'export const f = (a?: 1) => ({ ...(a !== undefined && [a]) });',
  ],
  ['no-restricted-syntax', 'schema/packed.ts', 'export const a = { ...{ b: 1 } };'],
  ['no-restricted-syntax', 'schema/packed-list.ts', 'export const a = [...[1]];'],
  ['no-restricted-syntax', 'subgraphs/private.ts', 'export class A { private a = 1; b = () => this.a; }'],
  ['no-restricted-syntax', 'subgraphs/private-method.ts', 'export class A { private a() {} b = this.a; }'],
  ['no-restricted-syntax', 'subgraphs/state.ts', 'let a = 0;\nexport const f = () => (a = 1);'],
  [
    'no-restricted-syntax',
    'subgraphs/exported-state.ts',
    'export let a = 1;\nexport const f = () => (a = 2);',
  ],
  ['no-restricted-properties', 'gateway/tenants/environment.ts', `export const a = process.env['A'];`],
  ['no-restricted-properties', 'schema/environment.ts', 'export const { env } = process;'],
  ['no-restricted-syntax', 'schema/never.ts', 'export const f = (a: string): number => a as never;'],
  ['no-restricted-syntax', 'gateway/unknown.ts', 'export const f = (a: string) => a as unknown as number;'],
  [
    'no-restricted-syntax',
    'viewer/src/Cast.svelte',
    '<script lang="ts">const a: number = "" as never;</script>{a}',
  ],
  ['', 'gateway/cast.test.ts', 'export const f = (a: string): number => a as never;'],
  [
    'no-restricted-imports',
    'subgraphs/clinical/joins/awaitable.ts',
    `export { andThen } from '../../../schema/process/awaitable.ts';`,
  ],
  [
    'no-restricted-imports',
    'gateway/awaitable.ts',
    `import type { Awaitable } from '../schema/process/awaitable.ts';\nexport type A = Awaitable<1>;`,
  ],
  ['svelte/no-at-html-tags', 'viewer/src/Html.svelte', '<script lang="ts">const a = "";</script>{@html a}'],
  ['', 'gateway/serve.ts', `export const a = process.env['A'];`],
  ['', 'gateway/test/environment.ts', `export const a = process.env['A'];`],
  ['', 'vite.config.ts', 'export default {};'],
  ['', 'gateway/state.test.ts', 'let a = 1;\nexport const f = () => (a = 2);'],
  ['', 'gateway/awaited.ts', `${ASYNC}await wait();\nvoid wait();`],
];
