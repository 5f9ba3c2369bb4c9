/** Reads a Dockerfile and a .dockerignore, as far as this project uses their languages. */

interface Step {
  /** `COPY`, `RUN`, … */
  instruction: string;
  /** The rest of the line, with continued lines joined. */
  text: string;
}
export interface Stage {
  /** The name after AS; empty for the last stage. */
  name: string;
  steps: Step[];
}

/** Returns the stages of a Dockerfile in their order. */
export function readDockerfile(text: string): Stage[] {
  const lines = text
    .replace(/^#.*\n/gm, '')
    .replace(/\\\n/g, ' ')
    .split('\n')
    .filter((line) => line.trim());
  const stages: Stage[] = [];
  for (const line of lines) {
    const [, instruction, rest] = /^([A-Z]+)\s+(.*)$/.exec(line)!;
    if (instruction === 'FROM') stages.push({ name: / AS (\w+)$/.exec(rest!)?.[1] ?? '', steps: [] });
    else stages.at(-1)!.steps.push({ instruction: instruction!, text: rest!.replace(/\s+/g, ' ') });
  }
  return stages;
}

/** Returns the variables that a stage sets with ENV. */
export function environmentOf({ steps }: Stage): Record<string, string> {
  const set = steps.filter(({ instruction }) => instruction === 'ENV').flatMap(({ text }) => text.split(' '));
  return Object.fromEntries(set.map((each) => each.split('=') as [string, string]));
}

/** Returns the command in the JSON form of CMD, also of the CMD of a HEALTHCHECK. */
export function commandOf({ steps }: Stage, instruction: 'CMD' | 'HEALTHCHECK'): string[] {
  const { text } = steps.findLast((step) => step.instruction === instruction)!;
  return JSON.parse(text.slice(text.indexOf('['))) as string[];
}

/**
 * Returns the test if a path is left out. A pattern matches a path and all below it; of several that match, the last one
 * counts.
 * @param text content of a .dockerignore
 */
export function ignoredBy(text: string): (path: string) => boolean {
  const patterns = text
    .split('\n')
    .filter((line) => line && !line.startsWith('#'))
    .map((line) => ({ isBack: line.startsWith('!'), matches: pattern(line.replace(/^!|\/$/g, '')) }));
  return (path) => patterns.findLast(({ matches }) => matches.test(path))?.isBack === false;
}

function pattern(glob: string): RegExp {
  const source = glob
    .replace(/[.+^${}()|[\]\\]/g, '\\$&')
    .replace(/\*\*\/|\*/g, (stars) => (stars === '*' ? '[^/]*' : '(?:.*/)?'));
  return new RegExp(`^${source}(?:/|$)`);
}

/** Returns a .gitignore in the language of a .dockerignore: a name without a slash before its end is meant at every depth. */
export function asDockerignore(gitignore: string): string {
  return gitignore.replace(/^(!?)([^#\n/]+\/?)$/gm, '$1**/$2');
}
