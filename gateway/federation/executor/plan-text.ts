import type { CompiledField, CompiledOperation, CompiledSelection } from './compiled.ts';

/**
 * Writes which subgraph gives which part of an answer, as a tree: a line for each field that another subgraph gives than
 * the object around it, and for the way to it.
 */
export function planText({ root }: CompiledOperation): string {
  const lines = new Set<string>();
  const add = ({ fields }: CompiledSelection, from: string | undefined, path: string): void => {
    for (const field of fields) {
      if (!('nodes' in field)) continue;
      const { service, selections } = field;
      const inner = path === '' ? field.name : `${path}.${field.name}`;
      if (service !== from || field.crossing) lines.add(`${inner}: ${service}${stepText(field)}`);
      for (const selection of selections) add(selection, service, inner);
    }
  };
  add(root, undefined, '');
  return [...lines].join('\n');
}

function stepText({ crossing }: CompiledField): string {
  if (!crossing) return '';
  return `, by ${['id', ...crossing.required.map(({ name }) => name)].join(', ')} of ${crossing.type}`;
}
