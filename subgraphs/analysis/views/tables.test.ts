import { describe, expect, it } from 'vitest';
import { describeWithSharedData } from '../../../gateway/test/setup/shared-data.ts';
import { naiveRows } from '../test/naive-rows.ts';
import { RESOURCES } from '../test/resources.ts';
import { syntheaResources } from '../test/synthea.ts';
import { objectsOf } from '../test/view-objects.ts';
import { ViewDefinitionError } from './findings.ts';
import { ownTables, tablesOf } from './tables.ts';

const tables = ownTables();
const byName = (name: string) => tables.find((table) => table.name === name)!;
const typesOf = (name: string) =>
  Object.fromEntries(byName(name).view.columns.map(({ name: column, sqlType }) => [column, sqlType]));

describe('our own tables', () => {
  it.each(tables.map(({ name }) => name))('%s is a ViewDefinition with patient_id and id', (name) => {
    const { definition, view } = byName(name);
    expect(definition).toMatchObject({ resourceType: 'ViewDefinition', name, status: 'active' });
    expect(view.columns.map((column) => column.name)).toEqual(expect.arrayContaining(['id', 'patient_id']));
  });

  it.each(tables.map(({ name }) => name))('%s has the rows that fhirpath.js finds', (name) => {
    const { definition, view } = byName(name);
    const resources = RESOURCES.filter(({ resourceType }) => resourceType === definition.resource);
    expect(resources.length).toBeGreaterThan(name === 'encounter' || name === 'procedure' ? -1 : 0);
    for (const resource of resources) {
      expect(objectsOf(view, [resource]), resource.id).toEqual(naiveRows(definition, resource));
    }
  });

  it('have a row for each coding, and one where there is none', () => {
    const rows = objectsOf(byName('observation').view, RESOURCES);
    expect(rows.map(({ id, code, value }) => [id, code, value])).toEqual([
      ['two-codings', '4548-4', 9.89],
      ['two-codings', 'local', 9.89],
      ['without-code', null, null],
      ['components', '85354-9', null],
    ]);
  });

  it('have dates for sorting, and as they were written', () => {
    expect(typesOf('observation')).toMatchObject({ effective: 'TIMESTAMP', effective_text: 'VARCHAR' });
    expect(typesOf('patient')).toMatchObject({ birth_date: 'DATE', birth_date_text: 'VARCHAR' });
    expect(typesOf('imaging_study')).toMatchObject({ started: 'TIMESTAMP', series: 'INTEGER' });
  });

  it.each([
    ['a name that exists', { name: 'PATIENT', resource: 'Patient' }, 'There is a table PATIENT already.'],
    ['the name of another table', { name: 'compartment', resource: 'Patient' }, 'There is a table'],
    ['no name', { resource: 'Patient' }, 'A table needs a name.'],
  ])('a tenant cannot add one with %s', (_what, view, message) => {
    const definition = { ...view, select: [{ column: [{ name: 'id', path: 'id' }] }] };
    expect(() => tablesOf([definition])).toThrow(ViewDefinitionError);
    expect(() => tablesOf([definition])).toThrow(message);
  });
});

describeWithSharedData('our own tables of shared records', () => {
  const resources = syntheaResources(2);

  it.each(tables.map(({ name }) => name))('%s has the rows that fhirpath.js finds', (name) => {
    const { definition, view } = byName(name);
    const own = resources.filter(({ resourceType }) => resourceType === definition.resource);
    for (const resource of own) {
      expect(objectsOf(view, [resource])).toEqual(naiveRows(definition, resource));
    }
  });
});
