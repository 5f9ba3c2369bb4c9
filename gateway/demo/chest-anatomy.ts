/** Columns and rows of a slice. */
export const SIZE = 512;
/** Pixel spacing in mm: a field of view of 360 mm. */
export const SPACING = 0.703125;
/** z of the volume's upper end in mm; its lower end is at -TOP. In patient coordinates, x is left, y is back, z is up. */
export const TOP = 156;
/** Centre of the nodule in mm, in the right upper lobe (x is negative on the patient's right). */
export const NODULE = { x: -106, y: 12, z: 26.25 } as const;

interface Sphere {
  x: number;
  y: number;
  z: number;
  radius: number;
}

/** Structures that are drawn as many small spheres, sorted into slabs of 1 mm from the lower end upwards. */
export interface Anatomy {
  vessels: Sphere[][];
  bones: Sphere[][];
  nodule: Sphere[];
}

const SLABS = 2 * TOP;

function slabs(spheres: Sphere[]): Sphere[][] {
  const sorted: Sphere[][] = Array.from({ length: SLABS }, () => []);
  for (const sphere of spheres) {
    const low = Math.max(0, Math.floor(sphere.z - sphere.radius + TOP));
    const high = Math.min(SLABS - 1, Math.floor(sphere.z + sphere.radius + TOP));
    for (let slab = low; slab <= high; slab++) sorted[slab]!.push(sphere);
  }
  return sorted;
}

/** Returns a generator of uniform numbers in [0, 1). A fixed seed gives the same vessels on every machine. */
function uniform(seed: number): () => number {
  let state = seed >>> 0;
  return () => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0) / 0x100000000;
}

/** Adds a vessel and its branches as a chain of spheres, which get thinner from the hilum outwards. */
function branch(
  { radius, ...from }: Sphere,
  direction: [number, number, number],
  next: () => number,
  into: Sphere[],
): void {
  if (radius < 0.7) return;
  let { x, y, z } = from;
  let [dx, dy, dz] = direction;
  const steps = Math.round((6 + 4.2 * radius) * (0.7 + 0.6 * next()));
  for (let step = 0; step < steps; step++) {
    dx += 0.16 * (next() - 0.5);
    dy += 0.16 * (next() - 0.5);
    dz += 0.16 * (next() - 0.5);
    const length = Math.hypot(dx, dy, dz);
    x += dx /= length;
    y += dy /= length;
    z += dz /= length;
    into.push({ x, y, z, radius: radius * (1 - (0.15 * step) / steps) });
  }
  const turn = (): number => 1.5 * (next() - 0.5);
  branch({ x, y, z, radius: radius * 0.82 }, [dx + turn(), dy + turn(), dz + turn()], next, into);
  branch({ x, y, z, radius: radius * 0.7 }, [dx + turn(), dy + turn(), dz + turn()], next, into);
}

function pulmonaryVessels(): Sphere[] {
  const next = uniform(20261014);
  const spheres: Sphere[] = [];
  for (const side of [-1, 1]) {
    for (const [dy, dz] of [
      [-0.5, 1.2],
      [0.2, 1],
      [-0.9, 0.2],
      [0.8, 0.1],
      [-0.4, -0.8],
      [0.3, -1.2],
      [0.8, -0.8],
    ] as const) {
      branch({ x: side * 30, y: 4, z: 12, radius: 4.2 }, [side * 0.9, dy, dz], next, spheres);
    }
  }
  return spheres;
}

/** Returns the ribs of both sides: each runs from the spine round the chest and downwards to the front. */
function ribs(): Sphere[] {
  const spheres: Sphere[] = [];
  for (let rib = 0; rib < 12; rib++) {
    const start = 150 - rib * 25;
    for (let angle = 0.28; angle < 2.75; angle += 0.025) {
      const z = start - 34 * (angle - 0.28);
      const narrow = Math.min(1, 0.72 + (TOP - z) / 330);
      const x = 134 * narrow * Math.sin(angle);
      const y = 92 * narrow * Math.cos(angle) + 2;
      for (const side of [-1, 1]) spheres.push({ x: side * x, y, z, radius: 4.6 });
    }
  }
  return spheres;
}

/** Builds the parts of the chest that do not depend on the slice. `noduleRadius` is in mm. */
export function anatomyOf(noduleRadius: number): Anatomy {
  const { x, y, z } = NODULE;
  const lobe = noduleRadius * 0.62;
  return {
    vessels: slabs(pulmonaryVessels()),
    bones: slabs(ribs()),
    nodule: [
      { x, y, z, radius: noduleRadius },
      { x: x + lobe * 0.8, y: y + lobe * 0.5, z: z - 0.4, radius: lobe },
      { x: x - lobe * 0.3, y: y - lobe * 0.9, z: z + 0.5, radius: lobe },
    ],
  };
}

type Mask = 'everywhere' | 'air' | 'body';

/** Fills an ellipse, turned by `angle`, in mm and HU. `mask` limits it to lung (below -500 HU) or to body. */
function ellipse(
  image: Int16Array,
  [cx, cy, a, b]: [cx: number, cy: number, a: number, b: number],
  hu: number,
  { angle = 0, mask = 'everywhere' }: { angle?: number; mask?: Mask } = {},
): void {
  if (a <= 0 || b <= 0) return;
  const cos = Math.cos(angle);
  const sin = Math.sin(angle);
  const reach = Math.hypot(a * sin, b * cos);
  const quadratic = (cos / a) ** 2 + (sin / b) ** 2;
  const first = Math.max(0, Math.ceil((cy - reach) / SPACING + SIZE / 2 - 0.5));
  const last = Math.min(SIZE - 1, Math.floor((cy + reach) / SPACING + SIZE / 2 - 0.5));
  for (let row = first; row <= last; row++) {
    const dy = (row - SIZE / 2 + 0.5) * SPACING - cy;
    const half = dy * cos * sin * (1 / a ** 2 - 1 / b ** 2);
    const root = half ** 2 - quadratic * (dy ** 2 * ((sin / a) ** 2 + (cos / b) ** 2) - 1);
    if (root < 0) continue;
    const middle = cx - half / quadratic;
    const extent = Math.sqrt(root) / quadratic;
    const left = Math.max(0, Math.ceil((middle - extent) / SPACING + SIZE / 2 - 0.5));
    const right = Math.min(SIZE - 1, Math.floor((middle + extent) / SPACING + SIZE / 2 - 0.5));
    const start = row * SIZE;
    if (mask === 'everywhere') image.fill(hu, start + left, start + right + 1);
    else {
      for (let pixel = start + left; pixel <= start + right; pixel++) {
        const air = image[pixel]! < -500;
        if (air === (mask === 'air')) image[pixel] = hu;
      }
    }
  }
}

type Point = [x: number, y: number, z: number];

/** Fills the section of an ellipsoid with the slice at z. */
function ellipsoid(
  image: Int16Array,
  z: number,
  { at: [cx, cy, cz], radii: [a, b, c] }: { at: Point; radii: Point },
  hu: number,
): void {
  const rest = 1 - ((z - cz) / c) ** 2;
  if (rest > 0) ellipse(image, [cx, cy, a * Math.sqrt(rest), b * Math.sqrt(rest)], hu);
}

function spheres(
  image: Int16Array,
  z: number,
  all: Sphere[],
  { hu, mask, shrink = 1 }: { hu: number; mask: Mask; shrink?: number },
): void {
  for (const { x, y, z: cz, radius } of all) {
    const rest = (radius * shrink) ** 2 - (z - cz) ** 2;
    if (rest > 0) ellipse(image, [x, y, Math.sqrt(rest), Math.sqrt(rest)], hu, { mask });
  }
}

function drawLungs(image: Int16Array, z: number): void {
  const profile = 1 - ((z + 8) / 142) ** 2;
  if (profile <= 0) return;
  const size = profile ** 0.36;
  for (const side of [-1, 1]) {
    ellipse(image, [side * 70 * (0.72 + 0.28 * size), 4, 55 * size, 84 * size], -862);
    // Dependent lung is a little denser: its back is drawn again, in two steps.
    ellipse(image, [side * 70 * (0.72 + 0.28 * size), 34 * size, 46 * size, 52 * size], -850);
    ellipse(image, [side * 70 * (0.72 + 0.28 * size), 54 * size, 36 * size, 31 * size], -836);
  }
}

function drawMediastinum(image: Int16Array, z: number): void {
  const narrow = z > 60 ? 1 - (z - 60) / 220 : 1;
  ellipse(image, [0, 2, 36 * narrow, 74 * narrow], -90);
  ellipse(image, [0, 72, 46, 26], 48);
  if (z < 25) {
    ellipsoid(image, z, { at: [20, -26, -52], radii: [70, 58, 74] }, -88);
    ellipsoid(image, z, { at: [20, -26, -54], radii: [64, 52, 68] }, 52);
    ellipsoid(image, z, { at: [40, -20, -62], radii: [30, 28, 44] }, 40);
    ellipsoid(image, z, { at: [-10, -36, -50], radii: [28, 24, 44] }, 40);
    ellipsoid(image, z, { at: [8, 8, -30], radii: [36, 17, 26] }, 40);
    ellipsoid(image, z, { at: [38, -48, -22], radii: [3, 2.2, 7] }, 520);
  }
  if (z < 62) ellipse(image, [22, 46, 13.5, 13.5], 42);
  if (z > -22 && z < 52) ellipse(image, [-8, -24, 16, 16], 42);
  if (z > -20 && z < 34) ellipse(image, [14, -36, 14, 13], 42);
  if (z > 4 && z < 26) {
    ellipse(image, [-16, -4, 26, 8], 42, { angle: -0.25 });
    ellipse(image, [28, 2, 22, 9], 42, { angle: 0.3 });
  }
  if (z >= 44 && z < 70) ellipse(image, [9, 10, 15, 44], 42, { angle: -0.42 });
  if (z >= 70)
    for (const [x, y] of [
      [-14, -20],
      [4, -22],
      [20, -6],
    ] as const)
      ellipse(image, [x, y, 6, 6], 42);
  if (z > -40) ellipse(image, [-28, -18, 9, 10], 42);
  ellipse(image, [6, 42, 7, 6], 32);
  ellipse(image, [6, 41, 1.6, 1.2], -700);
  if (z > 38) {
    ellipse(image, [-2, 12, 11, 11], 35);
    ellipse(image, [-2, 12, 9, 9], -985);
  } else if (z > -6) {
    for (const side of [-1, 1]) {
      ellipse(image, [side * (6 + (38 - z) * 0.75), 14, 8, 7], 35);
      ellipse(image, [side * (6 + (38 - z) * 0.75), 14, 6.2, 5.4], -980);
    }
  }
}

function drawAbdomen(image: Int16Array, z: number): void {
  ellipsoid(image, z, { at: [-58, 4, -168], radii: [76, 84, 92] }, 58);
  ellipsoid(image, z, { at: [62, 14, -172], radii: [60, 74, 76] }, 46);
  ellipsoid(image, z, { at: [58, -26, -150], radii: [28, 22, 24] }, -940);
  ellipsoid(image, z, { at: [88, 46, -160], radii: [26, 34, 40] }, 52);
}

function drawBones(image: Int16Array, z: number, anatomy: Anatomy): void {
  const slab = Math.min(SLABS - 1, Math.max(0, Math.floor(z + TOP)));
  spheres(image, z, anatomy.bones[slab]!, { hu: 640, mask: 'body' });
  spheres(image, z, anatomy.bones[slab]!, { hu: 240, mask: 'body', shrink: 0.55 });
  const level = (((z + TOP) % 26) + 26) % 26;
  const disc = level < 5;
  ellipse(image, [0, 68, 20, 16], disc ? 92 : 480);
  ellipse(image, [0, 68, disc ? 19 : 18, disc ? 15 : 14], disc ? 85 : 190);
  ellipse(image, [0, 89, 15, 12], 520);
  ellipse(image, [0, 89, 9.5, 8], 28);
  ellipse(image, [0, 109, 3.6, 11], 420);
  if (level > 11 && level < 22)
    for (const side of [-1, 1]) ellipse(image, [side * 26, 86, 14, 4.5], 430, { angle: side * 0.25 });
  if (z > -70 && z < 112) {
    ellipse(image, [0, -89 * Math.min(1, 0.72 + (TOP - z) / 330) - 3, 17, 6], 460);
    ellipse(image, [0, -89 * Math.min(1, 0.72 + (TOP - z) / 330) - 3, 14, 4], 180);
  }
  if (z > 18) {
    for (const side of [-1, 1]) {
      ellipse(image, [side * (104 - (z - 18) * 0.12), 74, 30, 3.6], 560, {
        angle: side * -0.62,
        mask: 'body',
      });
      ellipse(image, [side * (104 - (z - 18) * 0.12), 74, 28, 1.6], 220, {
        angle: side * -0.62,
        mask: 'body',
      });
    }
  }
}

/** Draws the chest at `z` mm into `image` (SIZE × SIZE, HU), without noise. */
export function drawSlice(anatomy: Anatomy, z: number, image: Int16Array): void {
  image.fill(-1000);
  const taper = z > 96 ? 1 - ((z - 96) / 60) ** 2 * 0.12 : 1;
  ellipse(image, [0, 150, 168, 9], -180);
  ellipse(image, [0, 149, 166, 6], -900);
  ellipse(image, [0, 2, 164 * taper, 124 * taper], 20);
  ellipse(image, [0, 2, 162 * taper, 122 * taper], -102);
  ellipse(image, [0, 4, 148 * taper, 108 * taper], 52);
  const rib = Math.min(1, 0.72 + (TOP - z) / 330);
  // Below the apices of the lungs, fat fills the rib cage around the organs; above them, muscle of the neck.
  ellipse(image, [0, 2, 130 * rib, 90 * rib], z > 118 ? 46 : -70);
  drawLungs(image, z);
  const slab = Math.min(SLABS - 1, Math.max(0, Math.floor(z + TOP)));
  spheres(image, z, anatomy.vessels[slab]!, { hu: 35, mask: 'air' });
  spheres(image, z, anatomy.nodule, { hu: 38, mask: 'air' });
  drawMediastinum(image, z);
  drawAbdomen(image, z);
  drawBones(image, z, anatomy);
}
