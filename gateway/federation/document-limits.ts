import type { ASTVisitor, SelectionSetNode, ValidationContext } from 'graphql';
import { GraphQLError, Kind } from 'graphql';
import type { Limits } from '../limits.ts';

/** What is counted of a selection, fragments unfolded. */
interface Size {
  /** Fields side by side at its own level. */
  fields: number;
  depth: number;
  aliases: number;
  directives: number;
}

const NOTHING: Size = { fields: 0, depth: 0, aliases: 0, directives: 0 };

/** A validation rule that measures each operation with its fragments unfolded. */
export function documentLimits(limits: Limits): (context: ValidationContext) => ASTVisitor {
  return (context) => {
    const measure = measurer(context);
    return {
      OperationDefinition(operation) {
        const size = measure(operation.selectionSet);
        const directives = size.directives + (operation.directives?.length ?? 0);
        const measured: [number, number, string][] = [
          [size.depth, limits.depth, 'levels'],
          [size.aliases, limits.aliases, 'aliases'],
          [directives, limits.directives, 'directives'],
          [size.fields, limits.rootFields, 'root fields'],
        ];
        for (const [count, limit, what] of measured) {
          if (count <= limit) continue;
          const message = `The request has more than ${limit} ${what}.`;
          context.reportError(new GraphQLError(message, { nodes: operation }));
        }
      },
    };
  };
}

/** Measures selections, each fragment once: fragments that double one another unfold to more than can be walked. */
function measurer(context: Pick<ValidationContext, 'getFragment'>): (set: SelectionSetNode) => Size {
  const fragments = new Map<string, Size>();
  const ofSet = (set: SelectionSetNode | undefined): Size =>
    (set?.selections ?? []).reduce<Size>((sum, selection) => {
      const inner =
        selection.kind === Kind.FRAGMENT_SPREAD
          ? ofFragment(selection.name.value)
          : ofSet(selection.selectionSet);
      const isField = selection.kind === Kind.FIELD;
      return {
        fields: sum.fields + (isField ? 1 : inner.fields),
        depth: Math.max(sum.depth, inner.depth + (isField ? 1 : 0)),
        aliases: sum.aliases + inner.aliases + (isField && selection.alias ? 1 : 0),
        directives: sum.directives + inner.directives + (selection.directives?.length ?? 0),
      };
    }, NOTHING);
  const ofFragment = (name: string): Size => {
    const known = fragments.get(name);
    if (known) return known;
    // A fragment within itself is another rule's finding; here it only must not run for ever.
    fragments.set(name, NOTHING);
    const size = ofSet(context.getFragment(name)?.selectionSet);
    fragments.set(name, size);
    return size;
  };
  return ofSet;
}
