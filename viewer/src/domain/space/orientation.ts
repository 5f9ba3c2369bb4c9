/** Letters at the edges of an image that say to which side of the patient they point (PS3.3 §C.7.6.1.1.1). */
import { normalOf, planeOf, type Vector } from './geometry.ts';
import { numbers, type Instance } from '../instance.ts';
import { dot, vectorOf } from './vectors.ts';

export interface OrientationMarks {
  top: string;
  right: string;
  bottom: string;
  left: string;
}

/** Toward the patient's left, back and head, and their opposites (DICOM's axes). */
const LETTERS = [
  ['L', 'R'],
  ['P', 'A'],
  ['H', 'F'],
] as const;
/** Components below this are noise: a plane is rarely tilted by less than 6 degrees on purpose. */
const NOISE = 0.1;

/**
 * Returns the marks of an image as it is on the screen; undefined where the image has no orientation.
 * @param camera degrees clockwise; `flipped` mirrors left and right before the rotation
 */
export function orientationMarks(
  instance: Instance,
  camera: { rotation: number; flipped: boolean },
): OrientationMarks | undefined {
  const values = numbers(instance, '00200037', 6);
  if (!values) return undefined;
  const row = values.slice(0, 3).map((value) => (camera.flipped ? -value : value));
  const column = values.slice(3);
  const angle = (camera.rotation * Math.PI) / 180;
  const [cos, sin] = [Math.cos(angle), Math.sin(angle)];
  // The image turns clockwise: what points right on the screen pointed `angle` counter-clockwise in the image.
  const right = vectorOf(row.map((value, axis) => value * cos - column[axis]! * sin));
  const down = vectorOf(row.map((value, axis) => value * sin + column[axis]! * cos));
  return { right: mark(right), left: mark(opposite(right)), bottom: mark(down), top: mark(opposite(down)) };
}

/** The letters of a direction, the largest component first. */
function mark(direction: Vector): string {
  return direction
    .map((value, axis) => ({ size: Math.abs(value), letter: LETTERS[axis]![value > 0 ? 0 : 1] }))
    .filter(({ size }) => size > NOISE)
    .sort((a, b) => b.size - a.size)
    .map(({ letter }) => letter)
    .join('');
}

function opposite(direction: Vector): Vector {
  return vectorOf(direction.map((value) => -value));
}

/**
 * Returns where an image lies along the direction in which its stack is read, in millimetres from the origin of the
 * patient's coordinates: `F 45.3 mm` is to the feet of it. Undefined where the image has no place.
 */
export function imagePosition(instance: Instance): { side: string; mm: number } | undefined {
  const plane = planeOf(instance);
  if (!plane) return undefined;
  const normal = normalOf(plane);
  const sizes = normal.map(Math.abs);
  const axis = sizes.indexOf(Math.max(...sizes));
  const toward = normal[axis]! < 0 ? opposite(normal) : normal;
  const mm = dot(plane.position, toward);
  return { side: LETTERS[axis]![mm < 0 ? 1 : 0], mm };
}
