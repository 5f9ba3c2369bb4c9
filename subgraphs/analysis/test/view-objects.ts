import type { CompiledView } from '../views/view-steps.ts';
import { listOf } from '../views/values.ts';

/** Returns the rows of resources as objects, with the values of their JSON: for a few, such as in tests and previews. */
export function objectsOf(view: CompiledView, resources: Iterable<unknown>): Record<string, unknown>[] {
  const rows: Record<string, unknown>[] = [];
  for (const resource of resources) {
    view.rows(resource, (row) => {
      const entries = view.columns.map(({ name, collection }, index) => {
        const value = row[index];
        return [name, collection ? listOf(value) : (value ?? null)];
      });
      rows.push(Object.fromEntries(entries) as Record<string, unknown>);
    });
  }
  return rows;
}
