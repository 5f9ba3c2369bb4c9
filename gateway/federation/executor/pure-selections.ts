import { isPure } from '../../../schema/graphql/pure.ts';
import type { CompiledField, CompiledSelection, TypeName } from './compiled.ts';
import { KeptTexts, type TextMemory } from './kept-texts.ts';

/** Fields of an object whose text is worth keeping. */
const WORTH_KEEPING = 4;

/**
 * Lets the objects of a selection keep their texts, where these depend on nothing but the object: the largest such objects,
 * not those within them, and no small ones. Lists of such objects keep theirs too, of small objects also.
 */
export function keepingTexts(selection: CompiledSelection, memory: TextMemory): CompiledSelection {
  if (selection.isPure) return selection;
  for (const field of selection.fields) {
    if (!('nodes' in field)) continue;
    field.keepsList = field.selections.length > 0 && field.selections.every((inner) => inner.isPure);
    for (const inner of field.selections) {
      if (inner.isPure && sizeOf(inner) >= WORTH_KEEPING) inner.kept ??= new KeptTexts(memory);
    }
  }
  return selection;
}

function sizeOf({ fields }: CompiledSelection): number {
  return fields.reduce(
    (sum, field) =>
      'nodes' in field ? field.selections.reduce((all, one) => all + sizeOf(one), sum + 1) : sum + 1,
    0,
  );
}

/** Tells if the value of a field depends on nothing but its object. */
export function isPureField(field: CompiledField | TypeName): boolean {
  if (!('nodes' in field)) return true;
  const { resolve, crossing, selections, nodes, takesVariables } = field;
  const isConstant = !takesVariables && !nodes[0]!.arguments?.some(({ name }) => name.value === 'fhirpath');
  const isOwn = !crossing && (!resolve || isPure(resolve));
  return isOwn && isConstant && selections.every((selection) => selection.isPure);
}
