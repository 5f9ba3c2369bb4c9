import { DamagedFile } from '../../dicom/part10/bytes.ts';
import { BitReader, huffmanTable, type HuffmanTable } from './jpeg-bits.ts';
import type { FrameHeader } from './jpeg-header.ts';
import { inverseDct } from './inverse-dct.ts';

/**
 * Decodes JPEG with DCT and Huffman codes and samples of up to 12 bits, ISO 10918-1 Annexes F and G. Common builds of
 * libjpeg, also in WebAssembly, read only 8 bits.
 */

interface Component {
  id: number;
  /** Blocks of this component in a minimum coded unit, across and down. */
  across: number;
  down: number;
  quantization: number;
  /** Blocks with pixels, across and down. */
  width: number;
  height: number;
  /** Blocks of a row in memory, which has whole coded units. */
  stride: number;
  /** Quantized, 64 for each block, by rows of frequencies. */
  coefficients: Int16Array;
  prediction: number;
  dc?: HuffmanTable;
  ac?: HuffmanTable;
}

/** Frequencies and bits of one scan, §G.1.1. */
interface Scan {
  start: number;
  end: number;
  high: number;
  low: number;
}

/** Number of scans. Real streams have a dozen, and each may go through the whole picture. */
const MAX_SCANS = 100;

const ZIGZAG = new Uint8Array([
  0, 1, 8, 16, 9, 2, 3, 10, 17, 24, 32, 25, 18, 11, 4, 5, 12, 19, 26, 33, 40, 48, 41, 34, 27, 20, 13, 6, 7,
  14, 21, 28, 35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51, 58, 59, 52, 45, 38, 31, 39, 46,
  53, 60, 61, 54, 47, 55, 62, 63,
]);

/**
 * Decodes sequential and progressive streams.
 * @param header of this stream, with checked size
 * @returns samples, colour by pixel
 * @throws {DamagedFile} when the stream is cut short or invalid
 */
export function decodeDct(encoded: Uint8Array, header: FrameHeader): Uint16Array {
  const picture = new Picture(encoded, header);
  picture.read();
  return picture.samples();
}

class Picture {
  readonly #stream: Buffer;
  readonly #header: FrameHeader;
  readonly #quantization: (Uint16Array | undefined)[] = [];
  readonly #dc: (HuffmanTable | undefined)[] = [];
  readonly #ac: (HuffmanTable | undefined)[] = [];
  #components: Component[] = [];
  #unitsAcross = 0;
  #unitsDown = 0;
  #restartInterval = 0;
  /** Number of next blocks without further coefficients, §G.1.2.2. */
  #endOfBands = 0;

  constructor(encoded: Uint8Array, header: FrameHeader) {
    this.#stream = Buffer.from(encoded.buffer, encoded.byteOffset, encoded.length);
    this.#header = header;
  }

  read(): void {
    let scans = 0;
    for (let at = 2; at + 4 <= this.#stream.length;) {
      const marker = this.#stream[at + 1]!;
      if (this.#stream[at] !== 0xff)
        throw new DamagedFile('The JPEG stream is damaged between its segments.');
      if (marker === 0xff) at++;
      else if (marker === 0xd9) break;
      else {
        const end = at + 2 + this.#stream.readUInt16BE(at + 2);
        if (end > this.#stream.length) throw new DamagedFile('The JPEG stream is cut short.');
        const body = this.#stream.subarray(at + 4, end);
        if (marker !== 0xda) this.#segment(marker, body);
        else if (++scans > MAX_SCANS) throw new DamagedFile('The JPEG stream has too many scans.');
        at = marker === 0xda ? this.#scan(body, end) : end;
      }
    }
    if (scans === 0) throw new DamagedFile('The JPEG stream has no scan.');
  }

  #segment(marker: number, body: Buffer): void {
    try {
      if (marker === 0xdb) this.#quantizationTables(body);
      else if (marker === 0xc4) this.#huffmanTables(body);
      else if (marker === 0xdd) this.#restartInterval = body.readUInt16BE(0);
      else if (marker === this.#header.process) this.#frame(body);
    } catch (cause) {
      throw cause instanceof DamagedFile
        ? cause
        : new DamagedFile('A table of the JPEG stream is damaged.', { cause });
    }
  }

  #quantizationTables(body: Buffer): void {
    for (let at = 0; at < body.length;) {
      const size = body[at]! >> 4 ? 2 : 1;
      const table = new Uint16Array(64);
      for (let i = 0; i < 64; i++) table[ZIGZAG[i]!] = body.readUIntBE(at + 1 + i * size, size);
      this.#quantization[body[at]! & 15] = table;
      at += 1 + 64 * size;
    }
  }

  #huffmanTables(body: Buffer): void {
    for (let at = 0; at < body.length;) {
      const counts = body.subarray(at + 1, at + 17);
      const total = counts.reduce((sum, count) => sum + count, 0);
      const values = body.subarray(at + 17, at + 17 + total);
      if (counts.length < 16 || values.length < total) throw new DamagedFile('A Huffman table is cut short.');
      (body[at]! >> 4 ? this.#ac : this.#dc)[body[at]! & 15] = huffmanTable(counts, values);
      at += 17 + total;
    }
  }

  #frame(body: Buffer): void {
    const { rows, columns, samplesPerPixel } = this.#header;
    const parts = Array.from({ length: samplesPerPixel }, (_, i) => body.subarray(6 + 3 * i, 9 + 3 * i));
    const factors = parts.map((part) => [part[1]! >> 4, part[1]! & 15] as const);
    if (factors.flat().some((factor) => factor < 1 || factor > 4))
      throw new DamagedFile('The sampling factors of the JPEG stream are damaged.');
    const most = [0, 1].map((axis) => Math.max(...factors.map((factor) => factor[axis]!)));
    const [mostAcross, mostDown] = [most[0]!, most[1]!];
    this.#unitsAcross = Math.ceil(columns / (8 * mostAcross));
    this.#unitsDown = Math.ceil(rows / (8 * mostDown));
    this.#components = parts.map((part, i) => {
      const [across, down] = factors[i]!;
      const stride = this.#unitsAcross * across;
      return {
        id: part[0]!,
        across,
        down,
        quantization: part[2]!,
        stride,
        prediction: 0,
        width: Math.ceil((columns * across) / mostAcross / 8),
        height: Math.ceil((rows * down) / mostDown / 8),
        coefficients: new Int16Array(stride * this.#unitsDown * down * 64),
      };
    });
  }

  /** @returns end of the entropy-coded data */
  #scan(body: Buffer, start: number): number {
    const count = body[0] ?? 0;
    if (body.length < 4 + 2 * count) throw new DamagedFile('A scan of the JPEG stream is damaged.');
    const components = Array.from({ length: count }, (_, i) => {
      const component = this.#components.find(({ id }) => id === body[1 + 2 * i]);
      if (!component) throw new DamagedFile('A scan of the JPEG stream names an unknown component.');
      const tables = body[2 + 2 * i]!;
      return Object.assign(component, { dc: this.#dc[tables >> 4], ac: this.#ac[tables & 15] });
    });
    const [first, last, bits] = [body[1 + 2 * count]!, body[2 + 2 * count]!, body[3 + 2 * count]!];
    const scan: Scan = { start: first, end: last, high: bits >> 4, low: bits & 15 };
    if (first > last || last > 63 || count === 0 || (this.#progressive && first > 0 && count > 1))
      throw new DamagedFile('A scan of the JPEG stream is damaged.');
    const reader = new BitReader(this.#stream, start);
    const [only] = components;
    const units = count === 1 ? only!.width * only!.height : this.#unitsAcross * this.#unitsDown;
    for (let unit = 0; unit < units; unit++) {
      if (unit === 0 || (this.#restartInterval > 0 && unit % this.#restartInterval === 0)) {
        if (unit > 0) reader.restart();
        for (const component of components) component.prediction = 0;
        this.#endOfBands = 0;
      }
      if (count === 1) {
        const row = Math.floor(unit / only!.width);
        this.#block(reader, only!, scan, row * only!.stride + (unit % only!.width));
      } else for (const component of components) this.#unit(reader, component, scan, unit);
    }
    return reader.end();
  }

  #unit(reader: BitReader, component: Component, scan: Scan, unit: number): void {
    const { across, down, stride } = component;
    const row = Math.floor(unit / this.#unitsAcross) * down;
    const column = (unit % this.#unitsAcross) * across;
    for (let y = 0; y < down; y++)
      for (let x = 0; x < across; x++) this.#block(reader, component, scan, (row + y) * stride + column + x);
  }

  get #progressive(): boolean {
    return this.#header.process === 0xc2;
  }

  #block(reader: BitReader, component: Component, scan: Scan, index: number): void {
    const at = index * 64;
    if (!this.#progressive) {
      this.#dcFirst(reader, component, at, 0);
      return this.#acSequential(reader, component, at);
    }
    if (scan.start === 0) {
      if (scan.high === 0) this.#dcFirst(reader, component, at, scan.low);
      else if (reader.bit()) component.coefficients[at]! |= 1 << scan.low;
    } else if (scan.high === 0) this.#acFirst(reader, component, scan, at);
    else this.#acRefine(reader, component, scan, at);
  }

  #dcFirst(reader: BitReader, component: Component, at: number, low: number): void {
    component.prediction += reader.signed(reader.symbol(component.dc));
    component.coefficients[at] = component.prediction << low;
  }

  #acSequential(reader: BitReader, { coefficients, ac }: Component, at: number): void {
    for (let k = 1; k < 64; k++) {
      const symbol = reader.symbol(ac);
      const size = symbol & 15;
      k += symbol >> 4;
      if (size === 0) {
        if (symbol !== 0xf0) return;
      } else if (k > 63) throw new DamagedFile('A block of the JPEG stream is too long.');
      else coefficients[at + ZIGZAG[k]!] = reader.signed(size);
    }
  }

  #acFirst(reader: BitReader, { coefficients, ac }: Component, { start, end, low }: Scan, at: number): void {
    if (this.#endOfBands > 0) return void this.#endOfBands--;
    for (let k = start; k <= end; k++) {
      const symbol = reader.symbol(ac);
      const [run, size] = [symbol >> 4, symbol & 15];
      if (size === 0 && run < 15) {
        this.#endOfBands = (1 << run) - 1 + reader.bits(run);
        return;
      }
      k += run;
      if (size === 0) continue;
      if (k > end) throw new DamagedFile('A block of the JPEG stream is too long.');
      coefficients[at + ZIGZAG[k]!] = reader.signed(size) << low;
    }
  }

  /** Adds one bit to non-zero coefficients, and sets new ones to ±1 of this bit, §G.1.2.3. */
  #acRefine(reader: BitReader, { coefficients, ac }: Component, { start, end, low }: Scan, at: number): void {
    const refine = (index: number): void => {
      if (reader.bit()) coefficients[index]! += coefficients[index]! > 0 ? 1 << low : -(1 << low);
    };
    let k = start;
    while (k <= end && this.#endOfBands === 0) {
      const symbol = reader.symbol(ac);
      let run = symbol >> 4;
      let value = 0;
      if ((symbol & 15) !== 0) value = reader.bit() ? 1 << low : -(1 << low);
      else if (run < 15) {
        this.#endOfBands = (1 << run) + reader.bits(run);
        break;
      }
      for (; k <= end; k++) {
        const index = at + ZIGZAG[k]!;
        if (coefficients[index] !== 0) refine(index);
        else if (run-- === 0) {
          coefficients[index] = value;
          k++;
          break;
        }
      }
    }
    if (this.#endOfBands === 0) return;
    for (; k <= end; k++) if (coefficients[at + ZIGZAG[k]!] !== 0) refine(at + ZIGZAG[k]!);
    this.#endOfBands--;
  }

  /** Dequantizes and transforms. Repeats samples of subsampled components. */
  samples(): Uint16Array {
    const { rows, columns, samplesPerPixel, precision } = this.#header;
    const samples = new Uint16Array(rows * columns * samplesPerPixel);
    const block = new Float64Array(64);
    const middle = 1 << (precision - 1);
    const largest = (1 << precision) - 1;
    this.#components.forEach(
      ({ coefficients, quantization, width, height, stride, across, down }, offset) => {
        const table = this.#quantization[quantization];
        if (!table) throw new DamagedFile('The JPEG stream lacks a quantization table.');
        const plane = new Uint16Array(width * height * 64);
        for (let y = 0; y < height; y++) {
          for (let x = 0; x < width; x++) {
            const at = (y * stride + x) * 64;
            for (let i = 0; i < 64; i++) block[i] = coefficients[at + i]! * table[i]!;
            inverseDct(block);
            for (let i = 0; i < 64; i++) {
              const value = Math.min(largest, Math.max(0, Math.round(block[i]!) + middle));
              plane[(y * 8 + (i >> 3)) * width * 8 + x * 8 + (i & 7)] = value;
            }
          }
        }
        const stepX = across / Math.max(...this.#components.map((component) => component.across));
        const stepY = down / Math.max(...this.#components.map((component) => component.down));
        for (let y = 0, to = offset; y < rows; y++) {
          const line = Math.floor(y * stepY) * width * 8;
          for (let x = 0; x < columns; x++, to += samplesPerPixel)
            samples[to] = plane[line + Math.floor(x * stepX)]!;
        }
      },
    );
    return samples;
  }
}
