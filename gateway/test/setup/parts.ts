/**
 * Makes sure, once before all tests, that the programs they run against are installed.
 * As root on Debian it installs the missing ones and prints that; otherwise it prints the one command and fails.
 */
import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, rmSync, writeFileSync } from 'node:fs';

/** Debian package → a file that it installs. Never orthanc-gdcm: it crashes Orthanc 1.12.7. */
const parts: Readonly<Record<string, string>> = {
  orthanc: '/usr/sbin/Orthanc',
  'orthanc-dicomweb': '/usr/share/orthanc/plugins/libOrthancDicomWeb.so',
  dcmtk: '/usr/bin/storescu',
  dicom3tools: '/usr/bin/dciodvfy',
  'libgdcm-tools': '/usr/bin/gdcmconv',
  chromium: '/usr/bin/chromium',
  ffmpeg: '/usr/bin/ffmpeg',
  'redis-server': '/usr/bin/redis-server',
  kustomize: '/usr/bin/kustomize',
  'nginx-light': '/usr/sbin/nginx',
  openssl: '/usr/bin/openssl',
  'python3-pydicom': '/usr/lib/python3/dist-packages/pydicom/__init__.py',
  tinyproxy: '/usr/bin/tinyproxy',
};

const policy = '/usr/sbin/policy-rc.d';

/** Vitest's globalSetup hook. */
export function setup(): void {
  ensureInstalled(parts);
}

/**
 * Installs the missing packages, or prints how to.
 * @param wanted Debian package → a file that it installs
 * @throws when something is missing and we are not root on Debian, or the installation fails
 */
export function ensureInstalled(wanted: Readonly<Record<string, string>>): void {
  const missing = missingOf(wanted);
  if (missing.length === 0) return;
  const command = `apt-get install -y --no-install-recommends ${missing.join(' ')}`;
  const isRoot = process.getuid?.() === 0;
  if (!isRoot || !existsSync('/usr/bin/apt-get')) {
    throw new Error(
      `The tests run against real programs that are not installed: ${missing.join(', ')}.\n` +
        `On Debian 13 or Ubuntu:  sudo apt-get update && sudo ${command}`,
    );
  }
  process.stdout.write(`Installing programs that the tests need: ${missing.join(', ')}\n  ${command}\n`);
  withoutAutostart(() => {
    run('apt-get', ['update', '-q']);
    run('apt-get', command.split(' ').slice(1));
  });
  const still = missingOf(wanted);
  if (still.length > 0) throw new Error(`Still missing after the installation: ${still.join(', ')}`);
}

/** Returns packages whose file is missing. */
function missingOf(wanted: Readonly<Record<string, string>>): string[] {
  return Object.entries(wanted)
    .filter(([, file]) => !existsSync(file))
    .map(([name]) => name);
}

/** Debian starts servers when it installs them; exit code 101 of this file prevents that. */
function withoutAutostart(install: () => void): void {
  const ours = !existsSync(policy);
  if (ours) {
    writeFileSync(policy, '#!/bin/sh\nexit 101\n');
    chmodSync(policy, 0o755);
  }
  try {
    install();
  } finally {
    if (ours) rmSync(policy);
  }
}

function run(command: string, args: readonly string[]): void {
  const { status, error } = spawnSync(command, args, {
    stdio: ['ignore', 'ignore', 'inherit'],
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
  });
  if (status !== 0) throw new Error(`${command} ${args.join(' ')} failed: ${error ?? `exit ${status}`}`);
}
