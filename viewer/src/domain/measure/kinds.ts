/** The kinds of measurements, and the points of each. */

export type Kind = 'length' | 'angle' | 'rectangle' | 'ellipse' | 'probe' | 'arrow';

/** Number of points of each kind. The second one of an angle is its vertex; two opposite corners bound a region. */
export const POINTS: Readonly<Record<Kind, number>> = {
  length: 2,
  angle: 3,
  rectangle: 2,
  ellipse: 2,
  probe: 1,
  arrow: 2,
};
