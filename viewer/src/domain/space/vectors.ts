/** Arithmetic of vectors in the patient's coordinate system. */
export type Vector = readonly [number, number, number];

/** Returns the first three of some numbers as a vector. */
export function vectorOf([x = 0, y = 0, z = 0]: readonly number[]): Vector {
  return [x, y, z];
}

export function dot(a: Vector, b: Vector): number {
  return a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
}

export function cross(a: Vector, b: Vector): Vector {
  return [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]];
}

/** Returns `start` + `length` × `direction`. */
export function along(start: Vector, direction: Vector, length: number): Vector {
  return [
    start[0] + length * direction[0],
    start[1] + length * direction[1],
    start[2] + length * direction[2],
  ];
}

export function minus(a: Vector, b: Vector): Vector {
  return along(a, b, -1);
}

/** Returns the vector of length 1 in the same direction. */
export function unit(vector: Vector): Vector {
  return along([0, 0, 0], vector, 1 / Math.hypot(...vector));
}
