import { expect, test } from 'vitest';
import { page, userEvent } from 'vitest/browser';
import { Trouble } from '../../src/data/trouble.ts';
import type { Instance } from '../../src/domain/instance.ts';
import { features } from '../../src/features.ts';
import { ELECTROCARDIOGRAM, electrocardiogramBytes, PDF, REPORT } from './document-objects.ts';
import { stackOf } from './fixtures.ts';
import { open, PHONE, scrollsSideways, shot, violations, type Opened } from './open.ts';

/** Series 4 of the study has no images in these tests. */
const DOCUMENTS = '1.2.10.4';
const AT = `?tenant=demo&patient=helen&study=1.2.10&series=${DOCUMENTS}`;
const cell = () => page.getByRole('region', { name: /^Image/ });

/** Opens a series of documents. @param bulk what their bytes are */
function openDocuments(
  instances: readonly Instance[],
  { bulk, ...rest }: { bulk?: () => Promise<Uint8Array>; size?: readonly [number, number] } = {},
): Promise<Opened> {
  return open(AT, {
    features,
    ...rest,
    prepare: ({ imaging }) => {
      imaging.instances = instances;
      imaging.stacks = (name) => (name.series === DOCUMENTS ? [] : [stackOf(name)]);
      if (bulk) Object.assign(imaging.images, { bulk });
    },
  });
}

test('a structured report is text, with its measurements as a table; what is broken is said', async () => {
  await openDocuments([REPORT]);
  await expect.element(cell().getByRole('heading', { name: 'Imaging Measurement Report' })).toBeVisible();
  await expect.element(cell().getByText('not verified by a person')).toBeVisible();
  await expect.element(cell().getByText('1 item of this report could not be read.')).toBeVisible();
  await expect.element(cell().getByRole('heading', { name: 'Measurement Group' })).toBeVisible();
  const row = cell().getByRole('row').nth(1).element();
  expect([...row.children].map((one) => one.textContent.trim().replace(/\s+/g, ' '))).toEqual([
    'Long Axis',
    '9',
    'mm',
    'Left frontal lobe',
    'Open the image (series 3)',
  ]);
  await expect.element(cell().getByText('an image that is not in this record')).toBeVisible();
  await expect.element(page.getByText('2.25.77')).not.toBeInTheDocument();
  await page.getByRole('button', { name: 'Codes and numbers' }).click();
  await expect.element(page.getByText('2.25.77')).toBeVisible();
  expect(row.textContent).toContain('(SCT 103339001)');
  await shot('structured-report');
  expect(await violations()).toEqual([]);
});

test('a report leads to the image that it measures, beside it if there is a place', async () => {
  await openDocuments([REPORT]);
  await page.getByRole('link', { name: 'Open the image (series 3)' }).first().click();
  await expect.element(page.getByText('image 14/24')).toBeVisible();
  await openDocuments([REPORT]);
  await expect.element(page.getByRole('heading', { name: 'Imaging Measurement Report' })).toBeVisible();
  await userEvent.keyboard('2');
  await page.getByRole('link', { name: 'Open the image (series 3)' }).first().click();
  await expect.element(page.getByText('image 14/24')).toBeVisible();
  await expect.element(page.getByRole('heading', { name: 'Imaging Measurement Report' })).toBeVisible();
  // Tools and panels are of the document again once it is used.
  await expect.element(page.getByRole('button', { name: 'Reset' })).toBeEnabled();
  await page.getByRole('button', { name: 'Codes and numbers' }).click();
  await expect.element(page.getByRole('button', { name: 'Reset' })).toBeDisabled();
});

test('the place that a measurement names is in the middle, with a ring round it for a moment', async () => {
  const { imaging } = await openDocuments([REPORT]);
  const follow = async () => {
    await page.getByRole('link', { name: 'Open the image (series 3)' }).first().click();
    await expect.element(page.getByText('image 14/24')).toBeVisible();
    await expect.poll(() => document.querySelector('.ring')).not.toBeNull();
    const { width, height } = document.querySelector('.engine')!.getBoundingClientRect();
    const ring = () => (document.querySelector('.ring') as HTMLElement).style;
    // To the pixel.
    await expect.poll(() => parseFloat(ring().top) - height / 2).toBeCloseTo(0, 0);
    expect(parseFloat(ring().left) - width / 2).toBeCloseTo(0, 0);
    const [x, y] = imaging.drawn.view.toGlass([120, 215]);
    expect([parseFloat(ring().left), parseFloat(ring().top)]).toEqual([x, y]);
  };
  await follow();
  await shot('pointed-at');
  await expect.poll(() => document.querySelector('.ring'), { timeout: 4000 }).toBeNull();
  await expect.element(page.getByText('100 %')).toBeVisible();
});

test('the address of a document opens it again; a document of another patient has a red bar', async () => {
  await openDocuments([{ ...REPORT, '00100030': { vr: 'DA', Value: ['19440217'] } }]);
  await expect.poll(() => location.search).toContain(`series=${DOCUMENTS}`);
  expect(location.search).not.toContain('image=');
  await expect.element(page.getByRole('alert')).toHaveTextContent('These images name another patient.');
});

test('a PDF is shown in the page, opens in a tab and is kept under its title', async () => {
  const pdf = new TextEncoder().encode('%PDF-1.4\n%%EOF');
  await openDocuments([PDF], { bulk: () => Promise.resolve(pdf) });
  await expect.element(cell().getByRole('heading', { name: 'Radiology report' })).toBeVisible();
  const tab = page.getByRole('link', { name: 'Open in a new tab' });
  await expect.element(tab).toHaveAttribute('target', '_blank');
  const keep = page.getByRole('link', { name: 'Download' });
  await expect.element(keep).toHaveAttribute('download', 'Radiology report.pdf');
  const url = keep.element().getAttribute('href')!;
  const kept = await fetch(url);
  expect(kept.headers.get('content-type')).toBe('application/pdf');
  expect(new Uint8Array(await kept.arrayBuffer())).toEqual(pdf);
  expect(cell().element().querySelector('iframe')?.src).toBe(url);
  expect(await violations()).toEqual([]);
});

test('a browser that shows no PDF in a page says so; the buttons stay', async () => {
  Object.defineProperty(navigator, 'pdfViewerEnabled', { value: false, configurable: true });
  try {
    await openDocuments([PDF], {
      bulk: () => Promise.resolve(new TextEncoder().encode('%PDF-1.4')),
      size: PHONE,
    });
    await expect.element(page.getByText('This browser does not show PDFs in a page.')).toBeVisible();
    await expect.element(page.getByRole('link', { name: 'Open in a new tab' })).toBeVisible();
    expect(cell().element().querySelector('iframe')).toBeNull();
    expect(scrollsSideways()).toBe(false);
  } finally {
    Reflect.deleteProperty(navigator, 'pdfViewerEnabled');
  }
});

test('what only says that it is a PDF is offered as a file, and never run', async () => {
  const html = new TextEncoder().encode('<script>alert(1)</script>');
  await openDocuments([PDF], { bulk: () => Promise.resolve(html) });
  await expect.element(page.getByText('This document (application/pdf) is not shown here.')).toBeVisible();
  const kept = await fetch(page.getByRole('link', { name: 'Download' }).element().getAttribute('href')!);
  expect(kept.headers.get('content-type')).toBe('application/octet-stream');
  await expect.element(page.getByRole('link', { name: 'Open in a new tab' })).not.toBeInTheDocument();
});

test('a document that does not arrive says why; again loads it', async () => {
  let works = false;
  await openDocuments([PDF], {
    bulk: () =>
      works
        ? Promise.resolve(new TextEncoder().encode('%PDF-1.4'))
        : Promise.reject(new Trouble('server', '500', { status: 500 })),
  });
  await expect
    .element(cell().getByRole('alert'))
    .toHaveTextContent('The document did not arrive. All else is complete.');
  works = true;
  await page.getByRole('button', { name: 'Try again' }).click();
  await expect.element(page.getByRole('link', { name: 'Download' })).toBeVisible();
});

const paper = () => page.getByRole('img', { name: 'Recording of: I, II, III' });

test('an electrocardiogram is on its paper, with leads, filter and notes; its speed and height change', async () => {
  await openDocuments([ELECTROCARDIOGRAM], { bulk: () => Promise.resolve(electrocardiogramBytes()) });
  await expect.element(paper()).toBeVisible();
  await expect
    .element(page.getByText('3 leads, 4 s, 250 samples a second · Filter: 0.05–150 Hz, without 50 Hz'))
    .toBeVisible();
  await expect.element(page.getByText('SINUS RHYTHM')).toBeVisible();
  const millimetres = () => paper().element().getAttribute('viewBox')!.split(' ').map(Number).slice(2);
  const [width, height] = millimetres();
  // Four seconds, and the pulse before them.
  expect(width).toBe(4 * 25 + 18);
  await page.getByText('50 mm/s').click();
  await expect.poll(() => millimetres()[0]).toBe(4 * 50 + 18);
  await page.getByText('20 mm/mV').click();
  await expect.poll(() => millimetres()[1]).toBeGreaterThan(height!);
  await shot('electrocardiogram');
  expect(await violations()).toEqual([]);
});

test('two points of an electrocardiogram give time, rate and voltage; keys move them', async () => {
  await openDocuments([ELECTROCARDIOGRAM], { bulk: () => Promise.resolve(electrocardiogramBytes()) });
  await expect.element(paper()).toBeVisible();
  const svg = paper().element();
  const box = svg.getBoundingClientRect();
  const pixels = box.width / 118;
  const at = (seconds: number, row: number) =>
    svg.dispatchEvent(
      new MouseEvent('click', {
        bubbles: true,
        clientX: box.left + (13 + seconds * 25) * pixels,
        clientY: box.top + row * pixels,
      }),
    );
  // The peaks of two beats in the first lead; then from a peak of the second, of 1 mV, to zero. A click is a pixel wide.
  at(0.2, 12);
  await expect.element(page.getByText('Choose the second point.')).toBeVisible();
  at(1.2, 12);
  await expect.element(page.getByText('1000 ms · 60/min · I 0.00 mV')).toBeVisible();
  await page.getByLabelText('Lead').selectOptions('II');
  const to = page.getByRole('slider', { name: 'to' });
  (to.element() as HTMLElement).focus();
  await userEvent.keyboard('{ArrowRight}'.repeat(25));
  await expect.element(page.getByText(/^\s*1100 ms · 55\/min · II −(0\.9|1\.0)\d mV/)).toBeVisible();
  await userEvent.keyboard('{Escape}');
  await expect.element(cell().getByRole('button', { name: 'Measure' })).toBeVisible();
  await cell().getByRole('button', { name: 'Measure' }).click();
  await expect.element(page.getByText('1000 ms · 60/min · I 0.00 mV')).toBeVisible();
});

test('on a phone an electrocardiogram scrolls in itself', async () => {
  await openDocuments([ELECTROCARDIOGRAM], {
    bulk: () => Promise.resolve(electrocardiogramBytes()),
    size: PHONE,
  });
  await expect.element(paper()).toBeVisible();
  expect(scrollsSideways()).toBe(false);
  await shot('electrocardiogram-phone');
  expect(await violations()).toEqual([]);
});

test('of several documents one is chosen; data for other programs are named', async () => {
  const plan = {
    '00080018': { vr: 'UI', Value: ['1.2.10.4.2'] },
    '0008103E': { vr: 'LO', Value: ['A plan'] },
  };
  const numbered = { ...plan, '00200013': { vr: 'IS', Value: [2] } };
  await openDocuments([numbered, { ...REPORT, '00200013': { vr: 'IS', Value: [1] } }]);
  await expect.element(page.getByRole('heading', { name: 'Imaging Measurement Report' })).toBeVisible();
  await page.getByLabelText('Document of this series').selectOptions('1.2.10.4.2');
  await expect.element(page.getByRole('heading', { name: 'A plan' })).toBeVisible();
  await expect.element(page.getByText('It is data for other programs')).toBeVisible();
});

const VIDEO: Instance = {
  '00080016': { vr: 'UI', Value: ['1.2.840.10008.5.1.4.1.1.77.1.1.1'] },
  '00080018': { vr: 'UI', Value: ['1.2.10.4.1'] },
  '0008103E': { vr: 'LO', Value: ['Colonoscopy'] },
  '7FE00010': { vr: 'OB', BulkDataURI: 'https://images.example.org/bulkdata/7FE00010' },
};

/** Records half a second of H.264 in a file of MP4. */
async function recorded(): Promise<Uint8Array> {
  const canvas = Object.assign(document.createElement('canvas'), { width: 64, height: 48 });
  const context = canvas.getContext('2d')!;
  context.fillRect(0, 0, 64, 48);
  const recorder = new MediaRecorder(canvas.captureStream(30), { mimeType: 'video/mp4;codecs=avc1.42E01E' });
  const parts: Blob[] = [];
  recorder.ondataavailable = ({ data }) => parts.push(data);
  const stopped = new Promise((resolve) => (recorder.onstop = resolve));
  recorder.start();
  for (let i = 0; i < 15; i++) {
    context.fillStyle = `hsl(${i * 24} 100% 50%)`;
    context.fillRect(0, 0, 64, 48);
    await new Promise((resolve) => setTimeout(resolve, 33));
  }
  recorder.stop();
  await stopped;
  return new Uint8Array(await new Blob(parts).arrayBuffer());
}

test('a video is played, and can be kept (DW-28)', async () => {
  await openDocuments([VIDEO], { bulk: recorded });
  await expect.element(cell().getByRole('heading', { name: 'Colonoscopy' })).toBeVisible();
  const link = cell().getByRole('link', { name: 'Download' });
  await expect.element(link).toHaveAttribute('download', 'Colonoscopy.mp4');
  const video = document.querySelector('video')!;
  await expect.poll(() => [video.videoWidth, video.videoHeight, video.error]).toEqual([64, 48, null]);
  expect(await violations()).toEqual([]);
});

test('a video that the browser cannot play is offered as a file, and not called damaged', async () => {
  const bulk = async () => Uint8Array.from({ length: 4000 }, (_, i) => (i % 188 === 0 ? 0x47 : i % 251));
  await openDocuments([VIDEO], { bulk });
  await expect.element(cell().getByText('This browser cannot play this video.')).toBeVisible();
  await expect
    .element(cell().getByRole('link', { name: 'Download' }))
    .toHaveAttribute('download', 'Colonoscopy.ts');
  await expect.element(cell().getByRole('alert')).not.toBeInTheDocument();
});
