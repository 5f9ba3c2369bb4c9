/** The kinds of measurements, and the points of each. */

export type Kind =
  'length' | 'diameters' | 'angle' | 'cobb' | 'rectangle' | 'ellipse' | 'freehand' | 'probe' | 'arrow';

/**
 * Number of points of each kind. The second one of an angle is its vertex; two opposite corners bound a region; two
 * diameters are two lines, and so is a Cobb angle. An area is drawn by hand with as many points as the hand makes.
 */
export const POINTS: Readonly<Record<Kind, number>> = {
  length: 2,
  diameters: 4,
  angle: 3,
  cobb: 4,
  rectangle: 2,
  ellipse: 2,
  freehand: Infinity,
  probe: 1,
  arrow: 2,
};

/** Returns true if there are all points of a measurement. */
export function isComplete(kind: Kind, points: number): boolean {
  return kind === 'freehand' ? points >= 3 : points === POINTS[kind];
}

/** Returns true if a pointer that goes down begins a line, after so many points. */
export function beginsLine(kind: Kind, points: number): boolean {
  return POINTS[kind] > 1 && (points === 0 || (POINTS[kind] === 4 && points === 2));
}
