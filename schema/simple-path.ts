/** What looks at each element of a resource once: no patterns, no loops, nothing that grows with its own result. */
const SIMPLE = new Set([
  'where',
  'exists',
  'empty',
  'not',
  'first',
  'last',
  'contains',
  'startsWith',
  'endsWith',
]);
const OPERATORS = ['and', 'or', 'xor', 'implies', 'in'];
const LONGEST = 300;

/**
 * Whether a FHIRPath expression of a stranger may be evaluated here (SM-15): `matches` with a pattern of theirs, or an
 * `aggregate` that doubles its result, would hold the whole process for as long as they like.
 */
export function isSimplePath(expression: string): boolean {
  if (expression.length > LONGEST) return false;
  const withoutText = expression.replace(/'[^'\\]*'/g, '');
  // Escapes, names in quotes, comments and environment variables are what could hide a function.
  if (/[\\'"`/%]/.test(withoutText)) return false;
  const called = [...withoutText.matchAll(/([A-Za-z_]\w*)\s*\(/g)].map(([, name]) => name!);
  return called.every((name) => SIMPLE.has(name) || OPERATORS.includes(name));
}
