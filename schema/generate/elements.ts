import type { ElementDefinition, ElementDefinitionType, StructureDefinition } from 'fhir/r4.js';
import type { Field, FieldKind } from '../fhir/tables.ts';
import { compareText } from '../process/texts.ts';

/** One FHIR type (resource, datatype or backbone element) of a StructureDefinition. */
export interface ElementType {
  name: string;
  description: string | undefined;
  fields: DescribedField[];
}

export interface DescribedField extends Field {
  description: string | undefined;
}

/** GraphQL scalars of FHIR primitives. Dates and decimals have special ones: they are not plain strings and numbers. */
export const primitiveScalars: Readonly<Record<string, string>> = {
  base64Binary: 'String',
  boolean: 'Boolean',
  canonical: 'String',
  code: 'String',
  date: 'date',
  dateTime: 'dateTime',
  decimal: 'decimal',
  id: 'String',
  instant: 'instant',
  integer: 'Int',
  markdown: 'String',
  oid: 'String',
  positiveInt: 'Int',
  string: 'String',
  time: 'time',
  unsignedInt: 'Int',
  uri: 'String',
  url: 'String',
  uuid: 'String',
  xhtml: 'String',
};

/**
 * Reads the type of a StructureDefinition's snapshot and the types of its backbone elements. These are named by their
 * path: `ImagingStudy.series.instance` becomes `ImagingStudySeriesInstance`.
 */
export function elementTypes(definition: StructureDefinition): ElementType[] {
  const elements = definition.snapshot?.element ?? [];
  const types = new Map<string, ElementType>();
  for (const element of elements) {
    if (isBackbone(element, definition)) {
      const description = element.path === definition.type ? definition.description : element.short;
      types.set(element.path, { name: typeName(element.path), description, fields: [] });
      if (element.path === definition.type && definition.kind === 'resource') {
        types.get(element.path)?.fields.push(resourceTypeField);
      }
    }
    const parent = types.get(element.path.slice(0, element.path.lastIndexOf('.')));
    if (element.path !== definition.type) parent?.fields.push(...fieldsOfElement(element));
  }
  return [...types.values()];
}

const resourceTypeField: DescribedField = {
  name: 'resourceType',
  type: 'code',
  kind: 'primitive',
  list: false,
  description: 'The FHIR type of this resource',
};

function isBackbone(element: ElementDefinition, definition: StructureDefinition): boolean {
  if (element.path === definition.type) return true;
  const code = element.type?.[0]?.code;
  return code === 'BackboneElement' || (code === 'Element' && element.path.includes('.'));
}

/** Returns the field of an element; for a choice (`value[x]`) one field for each type, by its JSON name. */
function fieldsOfElement(element: ElementDefinition): DescribedField[] {
  const name = element.path.slice(element.path.lastIndexOf('.') + 1);
  const list = element.max !== '1' && element.max !== '0';
  const description = element.short;
  if (element.max === '0') return [];
  const flags = {
    ...(element.isSummary && { summary: true as const }),
    ...(element.min! > 0 && { mandatory: true as const }),
  };
  if (element.contentReference) {
    const type = typeName(element.contentReference.slice(1));
    return [{ name, type, kind: 'complex', list, description, ...flags }];
  }
  const types = element.type ?? [];
  if (name.endsWith('[x]')) {
    const choice = name.slice(0, -3);
    return types.map((one) => ({
      name: choice + capitalised(one.code),
      type: one.code,
      kind: kindOf(one.code),
      list,
      choice,
      description: description ?? `${choice} as ${one.code}`,
      ...flags,
      ...targetsOf(one),
    }));
  }
  const code = fhirType(element, types[0]?.code ?? '');
  const type = code === 'BackboneElement' || code === 'Element' ? typeName(element.path) : code;
  return [{ name, type, kind: kindOf(type), list, description, ...flags, ...targetsOf(types[0]) }];
}

/** Returns the types of resources to which a reference may point, unless it may point to any. */
function targetsOf(type: ElementDefinitionType | undefined): Pick<Field, 'targets'> {
  const targets = (type?.targetProfile ?? []).map((url) => url.slice(url.lastIndexOf('/') + 1));
  if (type?.code !== 'Reference' || targets.length === 0 || targets.includes('Resource')) return {};
  return { targets: targets.sort(compareText) };
}

/** Returns the FHIR type of an element. The definitions type ids and `Extension.url` as FHIRPath strings. */
function fhirType(element: ElementDefinition, code: string): string {
  if (!code.startsWith('http://hl7.org/fhirpath/')) return code;
  if (element.path.endsWith('.id')) return 'id';
  return element.path === 'Extension.url' ? 'uri' : 'string';
}

function kindOf(type: string): FieldKind {
  if (type in primitiveScalars) return 'primitive';
  if (type === 'Reference') return 'reference';
  return type === 'Resource' ? 'resource' : 'complex';
}

function typeName(path: string): string {
  return path.split('.').map(capitalised).join('');
}

function capitalised(word: string): string {
  return word.charAt(0).toUpperCase() + word.slice(1);
}
