/**
 * Returns the module `name` beside the module `from`, for a thread: TypeScript where sources run, JavaScript in a build.
 * @param from `import.meta.url` of the caller
 */
export function threadModule(name: string, from: string): URL {
  return new URL(`./${name}${from.endsWith('.ts') ? '.ts' : '.js'}`, from);
}

/** Returns the options of Node for a thread that runs this module. TypeScript needs a compiler, which is not inherited. */
export function threadOptions(module: URL): string[] {
  return module.pathname.endsWith('.ts') ? ['--import', 'tsx'] : [];
}
