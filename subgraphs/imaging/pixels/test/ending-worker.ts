/** The shortest module with a function that traps: (func (export "f") unreachable). */
const TRAP = Uint8Array.from(
  Buffer.from('0061736d0100000001040160000003020100070501016600000a05010300000b', 'hex'),
);

/** A worker that ends or fails by the name of its task, as codecs and the runtime might. Other tasks get an answer. */
export function run({ name, input }: { name: string; input: unknown }): unknown {
  if (name === 'exit') process.exit(input as number);
  if (name === 'trap') (new WebAssembly.Instance(new WebAssembly.Module(TRAP)).exports['f'] as () => void)();
  if (name === 'throw out of the task') {
    setTimeout(() => {
      throw new Error('nobody catches this');
    });
    return new Promise(() => undefined);
  }
  if (name === 'exit afterwards') setTimeout(() => process.exit(1), 50);
  return { value: input };
}
