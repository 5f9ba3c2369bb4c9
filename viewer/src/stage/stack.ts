/** A series as a stack of frames for the viewport. */

type Attribute = { vr: string; Value?: unknown[]; InlineBinary?: string };
export type InstanceMetadata = Record<string, Attribute>;

export interface StackFrame {
  /** Cornerstone image id: `wadors:` and the WADO-RS URL of the frame (PS3.18 §10.4.1.1.6). */
  imageId: string;
  metadata: InstanceMetadata;
}

/** Returns true if the instance has an image: Rows and Columns, PS3.3 §C.7.6.3. SR and RT plans do not. */
function isImage(instance: InstanceMetadata): boolean {
  return numeric(instance, '00280010') !== undefined && numeric(instance, '00280011') !== undefined;
}

/**
 * Returns the frames of a series in reading order. If every image has a position (PS3.3 §C.7.6.2), they are sorted along
 * the normal of the stack, starting at the end with the lower instance numbers, so that "image 87" of a report is the
 * 87th. Otherwise they are sorted by instance number.
 * @param wadoUrl `…/studies/{study}/series/{series}`
 * @param instances series metadata, PS3.18 §10.4.1.1.2
 */
export function stackFrames(wadoUrl: string, instances: readonly InstanceMetadata[]): StackFrame[] {
  const images = instances.filter(isImage).map(withPalette);
  const positions = images.map(alongNormal);
  const spatial =
    images.length > 1 && new Set(positions.filter((at) => at !== undefined)).size === images.length;
  const sorted = images
    .map((metadata, index) => ({ metadata, at: spatial ? positions[index]! : numberOf(metadata) }))
    .sort((a, b) => a.at - b.at);
  if (spatial && numberOf(sorted[0]!.metadata) > numberOf(sorted.at(-1)!.metadata)) sorted.reverse();
  return sorted.flatMap(({ metadata }) => {
    const instanceUid = String(metadata['00080018']?.Value?.[0]);
    const frames = numeric(metadata, '00280008') ?? 1;
    return Array.from({ length: frames }, (_, index) => ({
      imageId: `wadors:${wadoUrl}/instances/${instanceUid}/frames/${index + 1}`,
      metadata,
    }));
  });
}

/** Last digits of the tags of the red, green and blue palettes, PS3.3 §C.7.9.1. */
const PALETTES = ['1', '2', '3'] as const;

/** Converts palettes from the binary form of DICOM JSON (PS3.18 §F.2.7) to numbers, as Cornerstone needs them. */
function withPalette(instance: InstanceMetadata): InstanceMetadata {
  const palettes = PALETTES.flatMap((colour): [string, Attribute][] => {
    const inline = instance[`0028120${colour}`]?.InlineBinary;
    if (!inline) return [];
    const bytes = Uint8Array.from(atob(inline), (character) => character.charCodeAt(0));
    const bits = instance[`0028110${colour}`]?.Value?.[2];
    const entries = bits === 8 ? bytes : new Uint16Array(bytes.buffer, 0, bytes.length >> 1);
    return [[`0028120${colour}`, { vr: 'OW', Value: [...entries] }]];
  });
  return palettes.length > 0 ? { ...instance, ...Object.fromEntries(palettes) } : instance;
}

/**
 * Fetches the metadata of a series.
 * @throws Error with a message for the user
 */
export async function seriesMetadata(
  wadoUrl: string,
  fetch: typeof globalThis.fetch,
  signal: AbortSignal,
): Promise<InstanceMetadata[]> {
  const response = await fetch(`${wadoUrl}/metadata`, {
    headers: { accept: 'application/dicom+json' },
    signal,
  });
  if (!response.ok)
    throw new Error(`The image archive answered ${response.status}. The clinical data are complete.`);
  return (await response.json()) as InstanceMetadata[];
}

/** Returns the position along the normal of the image plane in mm; undefined if the image has no position. */
function alongNormal(instance: InstanceMetadata): number | undefined {
  const position = instance['00200032']?.Value as number[] | undefined;
  const orientation = instance['00200037']?.Value as number[] | undefined;
  if (position?.length !== 3 || orientation?.length !== 6) return undefined;
  const [rx, ry, rz, cx, cy, cz] = orientation as [number, number, number, number, number, number];
  const normal = [ry * cz - rz * cy, rz * cx - rx * cz, rx * cy - ry * cx];
  return normal.reduce((sum, component, axis) => sum + component * position[axis]!, 0);
}

function numberOf(instance: InstanceMetadata): number {
  return numeric(instance, '00200013') ?? 0;
}

function numeric(instance: InstanceMetadata, tag: string): number | undefined {
  const value = Number(instance[tag]?.Value?.[0] ?? NaN);
  return Number.isFinite(value) ? value : undefined;
}
