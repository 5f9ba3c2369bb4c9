/**
 * Returns the module `name` beside the module `from`, for a thread: TypeScript where sources run, JavaScript in a build.
 * @param from `import.meta.url` of the caller
 */
export function threadModule(name: string, from: string): URL {
  return new URL(`./${name}${from.endsWith('.ts') ? '.ts' : '.js'}`, from);
}
