import { z } from 'zod';
import { environment } from '../../gateway/settings.ts';
import { describedTenantFile } from '../../schema/tenant/tenant-json-schema.ts';
import { keysOf, type SchemaNode, type TenantKey } from '../../schema/tenant/tenant-keys.ts';
import { ENVIRONMENT_MEANINGS } from './environment-meanings.ts';
import { withGeneratedPart, writePage } from './generated-part.ts';

/**
 * Writes the tables of `docs/configuration.md`.
 *
 *     npx tsx docs/generate/configuration.ts           writes them
 *     npx tsx docs/generate/configuration.ts --check   writes nothing; fails if the page is out of date
 */
export function configurationPage(page: string): string {
  const withKeys = withGeneratedPart(page, 'keys of a tenant', tenantTables());
  return withGeneratedPart(withKeys, 'environment', environmentTable());
}

/** Returns one table for each key of the root. */
function tenantTables(): string {
  const keys = [...keysOf(describedTenantFile())];
  const sections = keys.filter(({ path }) => !path.includes('.'));
  return sections.map(({ path, schema }) => section(path, schema, keys)).join('\n\n');
}

function section(root: string, schema: SchemaNode, keys: readonly TenantKey[]): string {
  const inside = keys.filter(({ path }) => path.startsWith(`${root}.`));
  const paths = [...new Set(inside.map(({ path }) => path))];
  const rows = paths.map((path) => row(root, path, inside));
  return [
    `### \`${root}\``,
    schema.description!,
    ['| key | value | default | meaning |', '|---|---|---|---|', ...rows].join('\n'),
  ].join('\n\n');
}

function row(root: string, path: string, keys: readonly TenantKey[]): string {
  const same = keys.filter((key) => key.path === path);
  const parent = path.slice(0, path.lastIndexOf('.'));
  const types = new Set(keys.filter((key) => key.path === `${parent}.type`).map(({ type }) => type!));
  const name = path.slice(root.length + 1);
  const values = [...new Set(same.map(({ schema }) => valuesOf(schema)))].join(', ');
  const meaning = onlyFor(same, [...types]) + same[0]!.schema.description!;
  return `| \`${name}\` | ${cell(values)} | ${cell(defaultOf(same))} | ${cell(meaning)} |`;
}

/** Returns the types that have the key, or those that do not, as text; empty if all have it. */
function onlyFor(keys: readonly TenantKey[], types: readonly string[]): string {
  const having = types.filter((type) => keys.some((key) => key.type === type));
  const without = types.filter((type) => !having.includes(type));
  if (without.length === 0) return '';
  const few = having.length <= without.length ? having : without;
  return `${few === having ? 'Only' : 'Not'} ${few.map(code).join(', ')}. `;
}

/** Returns the values that a schema allows, as a short text. */
function valuesOf({ const: only, enum: several, type, items, anyOf, minimum, maximum }: SchemaNode): string {
  if (only !== undefined) return code(only);
  if (several) return several.map(code).join(', ');
  if (items) return items.enum ? `list of ${valuesOf(items)}` : 'list';
  if (anyOf) return [...new Set(anyOf.map(valuesOf))].join(' or ');
  const range = maximum === undefined ? '' : ` ${minimum ?? 'above 0'} to ${maximum}`;
  return `${[type ?? 'object'].flat().join(' or ')}${range}`;
}

/** Returns the default of a key, or that it is required, as text. */
function defaultOf(keys: readonly TenantKey[]): string {
  const optional = keys.filter(({ required }) => !required).map(({ type }) => code(type));
  if (optional.length === 0) return 'required';
  if (optional.length < keys.length) return `required, except for ${optional.join(', ')}`;
  const defaults = keys.map(({ schema }) => schema.default).filter(isShort);
  return [...new Set(defaults.map(code))].join(' or ') || '–';
}

/** Returns false for an object: its defaults are listed with its keys. */
const isShort = (value: unknown) =>
  value !== undefined && (typeof value !== 'object' || Array.isArray(value));

function environmentTable(): string {
  const { properties = {} } = z.toJSONSchema(environment, {
    io: 'input',
    unrepresentable: 'any',
  }) as SchemaNode;
  const rows = Object.entries(ENVIRONMENT_MEANINGS).map(([name, { text, fallback }]) => {
    const value = properties[name]?.default;
    const defaultText = fallback ?? (value === undefined || value === '' ? 'unset' : code(value));
    return `| \`${name}\` | ${defaultText} | ${text} |`;
  });
  return ['| name | default | meaning |', '|---|---|---|', ...rows].join('\n');
}

const code = (value: unknown) => `\`${typeof value === 'string' ? value : JSON.stringify(value)}\``;
const cell = (text: string) => text.replaceAll('|', '\\|');

if (import.meta.filename === process.argv[1]) writePage('configuration.md', configurationPage);
