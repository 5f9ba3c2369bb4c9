/** The metadata of a frame in the modules that Cornerstone asks for. */
import { planeOf } from '../../domain/space/geometry.ts';
import { number, numbers, text, type Instance } from '../../domain/instance.ts';
import { voiOf } from '../../domain/grey/voi.ts';
import type { Palettes } from './palettes.ts';

type Module = Record<string, unknown>;

const MODULES: Record<string, (metadata: Instance, palettes: Palettes | undefined) => Module> = {
  imagePixelModule: (metadata, palettes) => ({
    samplesPerPixel: number(metadata, '00280002') ?? 1,
    photometricInterpretation: text(metadata, '00280004') ?? 'MONOCHROME2',
    planarConfiguration: number(metadata, '00280006') ?? 0,
    rows: number(metadata, '00280010'),
    columns: number(metadata, '00280011'),
    bitsAllocated: number(metadata, '00280100'),
    bitsStored: number(metadata, '00280101') ?? number(metadata, '00280100'),
    highBit: number(metadata, '00280102'),
    pixelRepresentation: number(metadata, '00280103') ?? 0,
    ...palettes,
  }),
  imagePlaneModule: planeModule,
  voiLutModule: voiModule,
  modalityLutModule: (metadata) => ({
    rescaleIntercept: number(metadata, '00281052'),
    rescaleSlope: number(metadata, '00281053') || undefined,
    rescaleType: text(metadata, '00281054'),
  }),
  generalSeriesModule: (metadata) => ({
    modality: text(metadata, '00080060'),
    seriesInstanceUID: text(metadata, '0020000E'),
    studyInstanceUID: text(metadata, '0020000D'),
  }),
  sopCommonModule: (metadata) => ({
    sopClassUID: text(metadata, '00080016'),
    sopInstanceUID: text(metadata, '00080018'),
  }),
};

/** Returns a module of a frame; undefined for those that Cornerstone can do without. */
export function moduleOf(
  type: string,
  metadata: Instance,
  palettes: Palettes | undefined,
): Module | undefined {
  return MODULES[type]?.(metadata, palettes);
}

/** Position and spacing; where they are unknown an upright plane of square pixels, and the mark that says so. */
function planeModule(metadata: Instance): Module {
  const plane = planeOf(metadata);
  const spacing = numbers(metadata, '00280030', 2);
  const [rowPixelSpacing, columnPixelSpacing] = spacing ?? aspectOf(metadata);
  const rowCosines = plane?.row ?? [1, 0, 0];
  const columnCosines = plane?.column ?? [0, 1, 0];
  return {
    frameOfReferenceUID: text(metadata, '00200052'),
    rows: number(metadata, '00280010'),
    columns: number(metadata, '00280011'),
    imageOrientationPatient: [...rowCosines, ...columnCosines],
    imagePositionPatient: plane?.position ?? [0, 0, 0],
    rowCosines,
    columnCosines,
    pixelSpacing: spacing,
    rowPixelSpacing,
    columnPixelSpacing,
    sliceThickness: number(metadata, '00180050'),
    usingDefaultValues: !plane || !spacing,
  };
}

/** Pixel Aspect Ratio, or the spacing at the detector: for the form of the picture, not for measuring. */
function aspectOf(metadata: Instance): readonly [number, number] {
  const ratio = numbers(metadata, '00280034', 2) ?? numbers(metadata, '00181164', 2);
  return ratio?.every((side) => side > 0) ? [ratio[0]! / ratio[1]!, 1] : [1, 1];
}

function voiModule(metadata: Instance): Module {
  const voi = voiOf(metadata);
  if (!voi) return {};
  return {
    windowCenter: [voi.centre],
    windowWidth: [voi.width],
    ...(voi.function !== 'LINEAR' && { voiLUTFunction: [voi.function] }),
  };
}
