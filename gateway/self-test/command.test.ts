import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { askedCheck } from './command.ts';

const folder = mkdtempSync(join(tmpdir(), 'command-'));
writeFileSync(join(folder, 'hospital.json'), 'not read');
afterAll(() => rmSync(folder, { recursive: true }));

const USAGE = 'Usage: npm run check:tenant -- <key> [--patient ID] [--json]\nTenants: hospital\n';

test.each<[string[], object | string]>([
  [['hospital'], { key: 'hospital', json: false }],
  [['--json', 'hospital', '--patient', 'p'], { key: 'hospital', json: true, patient: 'p' }],
  [[], USAGE],
  [['a', 'b'], USAGE],
  [['hospital', '--loud'], USAGE],
  [['pacs'], `There is no tenant pacs in ${folder}.\nTenants: hospital\n`],
])('SM-18 %j', (args, expected) => {
  expect(askedCheck(args, folder, true)).toEqual(expected);
});

test('SM-18 says that TENANTS_DIR is not set, where it names no such tenant', () => {
  expect(askedCheck(['pacs'], folder, false)).toBe(
    `There is no tenant pacs in ${folder}; TENANTS_DIR is not set: these are the shipped tenants.\nTenants: hospital\n`,
  );
});
