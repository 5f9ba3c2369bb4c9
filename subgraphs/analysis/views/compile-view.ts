import { nearestName } from '../../../schema/fhir/nearest-name.ts';
import { ansiType, FHIR_TYPES, mayTake, sqlTypeOf, type SqlType } from './column-types.ts';
import { compileExpression, type Constant } from './expression.ts';
import { ExpressionError, ViewDefinitionError, type Finding } from './findings.ts';
import { isPrimitive, type Compiled, type Evaluate } from './shapes.ts';
import { ELEMENTS, SQL_NAME } from './view-definition.ts';
import {
  columnsOf,
  forEach,
  inSequence,
  repeat,
  unionOf,
  viewOf,
  type CompiledColumn,
  type CompiledView,
  type Condition,
  type Part,
} from './view-steps.ts';

/** The place of a part, and the values that it starts from. */
interface Place {
  path: string;
  /** Slot of the value that is `$this`. */
  slot: number;
  type: string | undefined;
}

/** The values of a loop, before the part that is repeated is known. */
interface Looped {
  place: Place;
  around(body: Part): Part;
}

/**
 * Compiles a ViewDefinition (SQL on FHIR 3 ballot; functions of the profile ShareableViewDefinition).
 * @param definition JSON from anywhere
 * @throws ViewDefinitionError with all mistakes and their places
 */
export function compileView(definition: unknown): CompiledView {
  return new ViewCompiler().compile(definition);
}

class ViewCompiler {
  readonly #findings: Finding[] = [];
  readonly #constants = new Map<string, Constant>();
  #resource = '';
  #slots = 1;

  compile(definition: unknown): CompiledView {
    if (!isObject(definition))
      throw new ViewDefinitionError([{ path: '', message: 'This is no ViewDefinition.' }]);
    const { resource, name, select, where, constant } = definition;
    if (typeof resource === 'string' && /^[A-Z][A-Za-z]+$/.test(resource)) this.#resource = resource;
    else this.#report('resource', 'The type of resource is missing, such as Patient.');
    if (name !== undefined) this.#isName(name, 'name');
    this.#readConstants(constant);
    const place: Place = { path: '', slot: 0, type: this.#resource || undefined };
    const conditions = this.#conditions(where, place);
    if (select === undefined || (Array.isArray(select) && select.length === 0)) {
      this.#report('select', 'At least one select is needed.');
    }
    const part = this.#selects(select, 'select', place);
    if (this.#findings.length === 0 && part.columns.length === 0)
      this.#report('select', 'At least one column is needed.');
    this.#findDuplicates(part.columns);
    if (this.#findings.length > 0) throw new ViewDefinitionError(this.#findings);
    return viewOf(this.#resource, part, conditions, this.#slots);
  }

  #report(path: string, message: string): void {
    this.#findings.push({ path, message });
  }

  #isName(name: unknown, path: string): name is string {
    if (typeof name === 'string' && SQL_NAME.test(name)) return true;
    this.#report(path, 'A name begins with a letter, and has letters, digits and _ only.');
    return false;
  }

  /** Returns the objects of a list with their places. */
  #list(value: unknown, path: string): { part: Record<string, unknown>; path: string }[] {
    if (value === undefined) return [];
    if (!Array.isArray(value)) {
      this.#report(path, 'A list is needed.');
      return [];
    }
    return value.flatMap((part: unknown, index) => {
      const own = `${path}[${index}]`;
      if (isObject(part)) return { part, path: own };
      this.#report(own, 'An object is needed.');
      return [];
    });
  }

  #readConstants(constants: unknown): void {
    for (const { part, path } of this.#list(constants, 'constant')) {
      const { name } = part;
      if (!this.#isName(name, `${path}.name`)) continue;
      const values = Object.entries(part).filter(([key]) => /^value[A-Z]/.test(key));
      const [key = 'valueString', value] = values[0] ?? [];
      if (values.length !== 1 || typeof value === 'object') {
        this.#report(path, 'A constant needs one value, such as valueString.');
      } else if (this.#constants.has(name)) this.#report(`${path}.name`, `There are two constants ${name}.`);
      this.#constants.set(name, { type: key.charAt(5).toLowerCase() + key.slice(6), value });
    }
  }

  #conditions(where: unknown, place: Place): Condition[] {
    return this.#list(where, 'where').flatMap(({ part, path: own }) => {
      this.#findUnknown(part, own, 'where');
      const path = `${own}.path`;
      const compiled = this.#expression(part['path'], { ...place, path });
      if (!compiled) return [];
      const { type, run } = compiled;
      if (type !== undefined && type !== 'boolean') {
        this.#report(path, `The condition gives a ${type}, not a boolean.`);
      }
      return { path, run };
    });
  }

  /** @param lenient takes elements that do not exist for empty */
  #expression(text: unknown, { path, type }: Place, lenient = false): Compiled | undefined {
    if (typeof text !== 'string' || text.trim() === '') {
      this.#report(path, 'A FHIRPath expression is needed.');
      return undefined;
    }
    try {
      const constants = this.#constants;
      return compileExpression(text, { type, resource: this.#resource, constants, lenient });
    } catch (error) {
      if (!(error instanceof ExpressionError)) throw error;
      this.#report(path, error.message);
      return undefined;
    }
  }

  /** Reports elements that may be misspelt: a `foreach` would silently be left out. */
  #findUnknown(part: Record<string, unknown>, path: string, kind: keyof typeof ELEMENTS): void {
    const names = ELEMENTS[kind];
    for (const key of Object.keys(part)) {
      if (names.some((name) => name === key) || /^(_.*|id|extension|modifierExtension)$/.test(key)) continue;
      this.#report(`${path}.${key}`, `There is no such element. Is ${nearestName(key, names)!} meant?`);
    }
  }

  #selects(selects: unknown, path: string, place: Place): Part {
    const parts = this.#list(selects, path);
    return inSequence(parts.map((one) => this.#select(one.part, { ...place, path: one.path })));
  }

  #select(part: Record<string, unknown>, place: Place): Part {
    const { path } = place;
    this.#findUnknown(part, path, 'select');
    const loop = this.#loop(part, place);
    const inner = loop?.place ?? place;
    if (part['column'] === undefined && part['select'] === undefined && part['unionAll'] === undefined) {
      this.#report(path, 'It has no column, no select and no unionAll.');
    }
    const body = inSequence([
      this.#columns(part['column'], `${path}.column`, inner),
      this.#selects(part['select'], `${path}.select`, inner),
      this.#union(part['unionAll'], `${path}.unionAll`, inner),
    ]);
    return loop ? loop.around(body) : body;
  }

  #loop(part: Record<string, unknown>, place: Place): Looped | undefined {
    const names = ['forEach', 'forEachOrNull', 'repeat'].filter((name) => part[name] !== undefined);
    const [name] = names;
    if (name === undefined) return undefined;
    if (names.length > 1) this.#report(place.path, `Only one of ${names.join(', ')} is possible.`);
    const path = `${place.path}.${name}`;
    const loop = { from: place.slot, to: this.#slots++, path };
    if (name === 'repeat') return this.#repeat(part['repeat'], { ...place, path }, loop);
    const { type, run } = this.#expression(part[name], { ...place, path }) ?? UNKNOWN;
    return {
      place: { path, slot: loop.to, type },
      around: (body) => forEach(loop, run, name === 'forEachOrNull', body),
    };
  }

  /** The paths lead on from values of several types, so that elements may be missing. */
  #repeat(paths: unknown, place: Place, loop: Parameters<typeof repeat>[0]): Looped {
    const { path } = place;
    const all: readonly unknown[] = Array.isArray(paths) ? paths : [];
    if (all.length === 0) this.#report(path, 'A list of paths is needed.');
    const types = new Set<string>();
    const runs = all.flatMap((one, index) => {
      const own = { ...place, path: `${path}[${index}]` };
      const first = this.#expression(one, own, true);
      if (first?.type !== undefined) types.add(first.type);
      return (first && this.#expression(one, { ...own, type: undefined }, true)?.run) ?? [];
    });
    const type = types.size === 1 ? [...types][0] : undefined;
    return { place: { path, slot: loop.to, type }, around: (body) => repeat(loop, runs, body) };
  }

  #columns(columns: unknown, path: string, place: Place): Part {
    const made = this.#list(columns, path).flatMap((one) =>
      this.#column(one.part, { ...place, path: one.path }),
    );
    return columnsOf(made, place.slot);
  }

  #column(part: Record<string, unknown>, place: Place): { column: CompiledColumn; run: Evaluate }[] {
    const { path: own } = place;
    this.#findUnknown(part, own, 'column');
    const path = `${own}.path`;
    const compiled = this.#expression(part['path'], { ...place, path });
    const { name, collection = false, description } = part;
    if (typeof collection !== 'boolean') this.#report(`${own}.collection`, 'It is true or false.');
    const isNamed = this.#isName(name, `${own}.name`);
    const sqlType = this.#sqlType(part, compiled?.type, own);
    if (!compiled || !isNamed) return [];
    const said = typeof description === 'string' ? description : undefined;
    const column = { name, sqlType, collection: collection === true, description: said, path };
    return [{ column, run: compiled.run }];
  }

  /** @param inferred type that the path gives; undefined when it is not known */
  #sqlType({ type, tag }: Record<string, unknown>, inferred: string | undefined, path: string): SqlType {
    if (type !== undefined && typeof type !== 'string') this.#report(`${path}.type`, 'A type is a text.');
    const declared = typeof type === 'string' ? typeOfUri(type) : undefined;
    if (declared !== undefined && !FHIR_TYPES.has(declared)) {
      const near = nearestName(declared, FHIR_TYPES)!;
      this.#report(`${path}.type`, `A column cannot have this type. Is ${near} meant?`);
    }
    let sqlType = sqlTypeOf(declared ?? inferred);
    for (const { part, path: own } of this.#list(tag, `${path}.tag`)) {
      if (part['name'] !== 'ansi/type') continue;
      const named = ansiType(String(part['value']));
      if (named) sqlType = named;
      else this.#report(`${own}.value`, 'This type of SQL is not supported.');
    }
    if (inferred !== undefined && !isPrimitive(inferred)) {
      this.#report(`${path}.path`, `A ${inferred} has elements: name one of them.`);
    } else if (inferred !== undefined && !mayTake(sqlType, inferred)) {
      this.#report(`${path}.type`, `The path gives a ${inferred}, which is no ${declared ?? sqlType}.`);
    }
    return sqlType;
  }

  #union(branches: unknown, path: string, place: Place): Part {
    const list = this.#list(branches, path);
    const parts = list.map((one) => this.#select(one.part, { ...place, path: one.path }));
    const [first = '', ...others] = parts.map(({ columns }) => columns.map(({ name }) => name).join(', '));
    for (const [index, names] of others.entries()) {
      if (names === first) continue;
      const message = `All parts of a unionAll have the same columns in the same order. The first has: ${first}; this one: ${names}.`;
      this.#report(list[index + 1]!.path, message);
    }
    return unionOf(parts);
  }

  /** SQL does not tell capitals from small letters in names. */
  #findDuplicates(columns: readonly CompiledColumn[]): void {
    const names = new Set<string>();
    for (const { name, path } of columns) {
      const key = name.toLowerCase();
      if (names.has(key)) this.#report(path.replace(/path$/, 'name'), `There are two columns ${name}.`);
      names.add(key);
    }
  }
}

const UNKNOWN: Compiled = { run: () => undefined, type: undefined };

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Returns the name of a type: it may be written as a URI. */
function typeOfUri(type: string): string {
  const name = type.slice(type.lastIndexOf('/') + 1);
  return name.startsWith('System.') ? name.charAt(7).toLowerCase() + name.slice(8) : name;
}
