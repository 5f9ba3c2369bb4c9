/**
 * Writes the software bill of materials of the product (CycloneDX) to dist/sbom.json, and fails unless it names every
 * package that the image installs, and no other.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const read = (file) => JSON.parse(readFileSync(file, 'utf8'));
const lock = read('package-lock.json');
for (const [path, { dev }] of Object.entries(lock.packages)) if (dev) delete lock.packages[path];

/** `npm sbom --omit dev` also leaves out packages that product and development share: npm sees the product alone. */
function billOfProduct() {
  const folder = mkdtempSync(join(tmpdir(), 'sbom-'));
  const write = (name, { devDependencies: _, ...content }) =>
    writeFileSync(join(folder, name), JSON.stringify(content));
  try {
    write('package.json', read('package.json'));
    delete lock.packages[''].devDependencies;
    write('package-lock.json', lock);
    const args = ['sbom', '--package-lock-only', '--sbom-format', 'cyclonedx', '--sbom-type', 'application'];
    return execFileSync('npm', args, { cwd: folder, encoding: 'utf8', maxBuffer: 64 * 1024 * 1024 });
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const text = billOfProduct();
const { bomFormat, specVersion, components } = JSON.parse(text);
if (bomFormat !== 'CycloneDX') throw new Error(`bomFormat is ${bomFormat}`);
// By the package URL: npm gives an alias as the name, the URL has the package's own.
const named = new Set(components.map(({ purl }) => decodeURIComponent(purl.replace(/^pkg:npm\//, ''))));
const installed = Object.entries(lock.packages)
  .filter(([path]) => path !== '')
  .map(([path, { name, version }]) => `${name ?? path.replace(/^.*node_modules\//, '')}@${version}`);
const missing = installed.filter((one) => !named.has(one));
const others = [...named].filter((one) => !installed.includes(one));
if (installed.length === 0 || missing.length + others.length > 0) {
  throw new Error(`missing: ${missing.join(', ')}; not of the product: ${others.join(', ')}`);
}
mkdirSync('dist', { recursive: true });
writeFileSync('dist/sbom.json', text);
console.log(`dist/sbom.json: CycloneDX ${specVersion}, ${named.size} packages`);
