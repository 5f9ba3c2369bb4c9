import { afterEach, expect, it, vi } from 'vitest';
import { ensureInstalled } from './parts.ts';

const missing = { orthanc: '/nowhere/Orthanc', dcmtk: '/nowhere/storescu', node: process.execPath };

afterEach(() => vi.restoreAllMocks());

it('tells a user who is not root the one command that installs the missing packages', () => {
  vi.spyOn(process, 'getuid').mockReturnValue(1000);
  expect(() => ensureInstalled(missing)).toThrow(
    /sudo apt-get update && sudo apt-get install -y --no-install-recommends orthanc dcmtk$/,
  );
});

it('prints nothing when everything is installed', () => {
  const write = vi.spyOn(process.stdout, 'write');
  ensureInstalled({ node: process.execPath });
  expect(write).not.toHaveBeenCalled();
});
