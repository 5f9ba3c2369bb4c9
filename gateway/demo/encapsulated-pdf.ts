import { EXPLICIT_LITTLE_ENDIAN, writeDicomFile, type Element } from './dicom-file.ts';
import { codeSequence, identityOfDocument, type Code } from './structured-report.ts';

const ENCAPSULATED_PDF = '1.2.840.10008.5.1.4.1.1.104.1';
const COLUMNS = 92;
/** Points of a page in A4. */
const PAGE = { width: 595, height: 842, margin: 56, leading: 14 };

/** Breaks a text into lines of at most `COLUMNS` characters. */
function linesOf(text: string): string[] {
  return text.split('\n').flatMap((paragraph) => {
    const lines = [''];
    for (const word of paragraph.split(' ')) {
      const line = lines.at(-1)!;
      if (line && line.length + word.length >= COLUMNS) lines.push(word);
      else lines[lines.length - 1] = line ? `${line} ${word}` : word;
    }
    return lines;
  });
}

/** Returns a string of PDF (ISO 32000-1 §7.3.4.2) in WinAnsiEncoding. */
function literal(text: string): string {
  const escaped = text.replaceAll('–', '-').replace(/[\\()]/g, '\\$&');
  return `(${escaped.replace(/[^\x20-\x7e\xa0-\xff]/g, '?')})`;
}

/** Writes a PDF of one page with a heading and text, the same on every machine. */
export function pdfDocument(title: string, text: string): Buffer {
  const { width, height, margin, leading } = PAGE;
  const lines = linesOf(text).map((line) => `T* ${literal(line)} Tj`);
  const drawn = [
    `BT /F2 14 Tf ${margin} ${height - margin} Td ${literal(title)} Tj`,
    `/F1 10 Tf ${leading} TL 0 ${-leading} Td`,
    ...lines,
    'ET',
  ].join('\n');
  const font = (name: string) =>
    `<< /Type /Font /Subtype /Type1 /BaseFont /${name} /Encoding /WinAnsiEncoding >>`;
  const objects = [
    '<< /Type /Catalog /Pages 2 0 R >>',
    '<< /Type /Pages /Kids [3 0 R] /Count 1 >>',
    `<< /Type /Page /Parent 2 0 R /MediaBox [0 0 ${width} ${height}] /Contents 4 0 R ` +
      '/Resources << /Font << /F1 5 0 R /F2 6 0 R >> >> >>',
    `<< /Length ${drawn.length} >>\nstream\n${drawn}\nendstream`,
    font('Helvetica'),
    font('Helvetica-Bold'),
    `<< /Title ${literal(title)} /Producer (SMART Imaging Gateway) >>`,
  ];
  let pdf = '%PDF-1.4\n';
  const offsets = objects.map((object, n) => {
    const at = pdf.length;
    pdf += `${n + 1} 0 obj\n${object}\nendobj\n`;
    return `${String(at).padStart(10, '0')} 00000 n \n`;
  });
  const size = objects.length + 1;
  const table = `xref\n0 ${size}\n0000000000 65535 f \n${offsets.join('')}`;
  const trailer = `trailer\n<< /Size ${size} /Root 1 0 R /Info ${objects.length} 0 R >>\nstartxref\n${pdf.length}\n%%EOF\n`;
  return Buffer.from(pdf + table + trailer, 'latin1');
}

/**
 * Writes an Encapsulated PDF (PS3.3 §A.45.1).
 * @param document title, text, and what kind of document it is
 * @param identity patient, study, series and instance, as `identityElements` gives them
 */
export function encapsulatedPdfFile(
  document: { title: string; text: string; kind: Code },
  study: { date: string; time: string },
  identity: readonly Element[],
): Buffer {
  const { title, text, kind } = document;
  const pdf = pdfDocument(title, text);
  const element = (tag: number, vr: string, value: Element['value']): Element => ({ tag, vr, value });
  return writeDicomFile(EXPLICIT_LITTLE_ENDIAN, [
    ...identityOfDocument(identity),
    element(0x00080016, 'UI', ENCAPSULATED_PDF),
    element(0x0008002a, 'DT', `${study.date}${study.time}`),
    element(0x00080060, 'CS', 'DOC'),
    element(0x00080064, 'CS', 'WSD'),
    element(0x00080070, 'LO', 'SMART Imaging Gateway'),
    // The text may name the patient.
    element(0x00280301, 'CS', 'YES'),
    codeSequence(0x0040a043, kind),
    element(0x00420010, 'ST', title),
    element(0x00420011, 'OB', pdf),
    element(0x00420012, 'LO', 'application/pdf'),
    element(0x00420015, 'UL', new Uint8Array(Uint32Array.of(pdf.length).buffer)),
  ]);
}
