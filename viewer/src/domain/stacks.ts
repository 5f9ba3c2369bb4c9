/** Images of a series in the order in which they are read. */
import type { Instance } from './instance.ts';
import type { FrameId, FrameName } from './study.ts';

export interface StackFrame {
  id: FrameId;
  name: FrameName;
  metadata: Instance;
  /** Bytes of the frame uncompressed: rows × columns × samples × bytes of a sample. */
  bytes: number;
}

/** Frames of one size and, where images have a position, one orientation. */
export interface Stack {
  /** Unique in its series. */
  key: string;
  /** What distinguishes it from the other stacks of its series; undefined for the only one. */
  by?: { what: 'orientation' | 'size' | 'echo' | 'temporal' | 'kind'; value: string };
  frames: readonly StackFrame[];
  /** Millimetres between the centres of neighbouring pixels, of rows and columns; undefined if unknown. */
  spacing?: readonly [number, number];
}
