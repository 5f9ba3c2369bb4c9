import { expect, test } from 'vitest';
import { page, userEvent } from 'vitest/browser';
import { measure } from '../../src/features/measure/measure.ts';
import { open, PHONE, scrollsSideways, shot, violations, type Opened } from './open.ts';

const STUDY = '?tenant=demo&patient=helen&study=1.2.10&series=1.2.10.3&image=14';
const METADATA = {
  '00280030': { vr: 'DS', Value: [0.5, 0.5] },
  '00080060': { vr: 'CS', Value: ['CT'] },
  '00281053': { vr: 'DS', Value: [1] },
};

async function opened(options: Parameters<typeof open>[1] = {}): Promise<Opened> {
  const fakes = await open(STUDY, {
    features: [measure],
    ...options,
    prepare: (all) => {
      all.imaging.metadata = METADATA;
      options.prepare?.(all);
    },
  });
  await expect.element(page.getByText('image 14/24')).toBeVisible();
  return fakes;
}

const surface = () => page.getByRole('application');
const glass = () => document.querySelector('.measure')!.getBoundingClientRect();
const shapes = () => page.getByRole('button', { name: /^(Length|Angle|Rectangle|Ellipse|Value|Arrow)[ :]/ });

/** Sends a pointer to what is there. Places are pixels of the glass. */
function pointer(type: string, [x, y]: readonly [number, number], rest: PointerEventInit = {}) {
  const { left, top } = glass();
  const place = { clientX: left + x, clientY: top + y };
  const target = rest.pointerType === 'touch' || type === 'pointerdown' ? undefined : last;
  last = target ?? document.elementFromPoint(place.clientX, place.clientY)!;
  last.dispatchEvent(
    new PointerEvent(type, {
      pointerId: 1,
      pointerType: 'mouse',
      isPrimary: true,
      button: 0,
      bubbles: true,
      ...place,
      ...rest,
    }),
  );
}
let last: Element | undefined;

async function drag(
  from: readonly [number, number],
  to: readonly [number, number],
  rest: PointerEventInit = {},
) {
  pointer('pointerdown', from, rest);
  pointer('pointermove', to, rest);
  // Drawn as a person would see it.
  await new Promise(requestAnimationFrame);
  pointer('pointerup', to, rest);
}

test('a length is drawn by the mouse, in millimetres; undo takes it away, redo brings it back', async () => {
  await opened();
  await userEvent.keyboard('l');
  await expect.element(page.getByText('Length: point 1 of 2')).toBeVisible();
  await drag([100, 100], [400, 500]);
  const length = page.getByRole('button', { name: 'Length: 250.0 mm' });
  await expect.element(length).toBeInTheDocument();
  // One tool, one measurement: the mouse windows again.
  await expect.element(surface()).not.toBeInTheDocument();
  await shot('measure-length');
  await userEvent.keyboard('{Control>}z{/Control}');
  await expect.element(length).not.toBeInTheDocument();
  await userEvent.keyboard('{Control>}{Shift>}Z{/Shift}{/Control}');
  await expect.element(length).toBeInTheDocument();
});

test('two diameters are two lines, by dragging or by clicks', async () => {
  await opened();
  await userEvent.keyboard('{Shift>}L{/Shift}');
  await expect.element(page.getByText('Two diameters: point 1 of 4')).toBeVisible();
  await drag([100, 300], [300, 300]);
  await expect.element(page.getByText('Two diameters: point 3 of 4').first()).toBeVisible();
  await drag([200, 240], [200, 360]);
  await expect
    .element(page.getByRole('button', { name: 'Two diameters: 100.0 × 60.0 mm' }))
    .toBeInTheDocument();
  await userEvent.keyboard('{Shift>}L{/Shift}');
  for (const at of [[400, 300], [440, 300], [420, 200], [420, 400]] as const) await drag(at, at); // prettier-ignore
  await expect
    .element(page.getByRole('button', { name: 'Two diameters: 100.0 × 20.0 mm' }))
    .toBeInTheDocument();
  await shot('measure-diameters');
});

test('a Cobb angle is between two lines', async () => {
  await opened();
  await userEvent.keyboard('{Shift>}A{/Shift}');
  await expect.element(page.getByText('Cobb angle: point 1 of 4')).toBeVisible();
  await drag([100, 300], [300, 300]);
  await expect.element(page.getByText('Cobb angle: point 3 of 4').first()).toBeVisible();
  await drag([300, 400], [100, 200]);
  await expect.element(page.getByRole('button', { name: 'Cobb angle: 45.0°' })).toBeInTheDocument();
  await shot('measure-cobb');
});

test('an area is drawn by hand, by a mouse or by keys; one that crosses itself has no size', async () => {
  await opened();
  const draw = async (line: readonly (readonly [number, number])[]) => {
    await userEvent.keyboard('{Shift>}E{/Shift}');
    await expect.element(page.getByText(/^Freehand area: draw round it/).first()).toBeVisible();
    pointer('pointerdown', line[0]!);
    for (const at of line) pointer('pointermove', at);
    await new Promise(requestAnimationFrame);
    pointer('pointerup', line.at(-1)!);
  };
  await draw([[10, 10], [30, 10], [50, 10], [50, 30], [50, 50], [30, 50], [10, 50], [10, 30]]); // prettier-ignore
  // 40 × 40 pixels of half a millimetre; of the values, which are the columns, 10 is the least.
  const area = page.getByRole('button', {
    name: /^Freehand area: area 400\.0 mm²; mean 30, .*; 10 to 50 HU;/,
  });
  await expect.element(area).toBeInTheDocument();
  expect(document.querySelectorAll('.measure .point')).toHaveLength(0);
  await draw([[300, 300], [400, 400], [400, 300], [300, 400]]); // prettier-ignore
  await expect
    .element(page.getByRole('button', { name: 'Freehand area: no area: the line crosses itself' }))
    .toBeInTheDocument();
  await shot('measure-freehand');
  // A click alone draws nothing.
  await draw([[200, 200]]);
  await expect.element(surface()).toBeInTheDocument();
  await userEvent.keyboard(
    '{Enter}{Shift>}{ArrowRight}{/Shift}{Enter}{Shift>}{ArrowDown}{/Shift}{Enter}{Enter}',
  );
  await expect
    .element(page.getByRole('button', { name: /^Freehand area: area 12\.5 mm²/ }))
    .toBeInTheDocument();
});

test('points are set by clicks too, an angle by three', async () => {
  await opened();
  await userEvent.keyboard('a');
  for (const at of [[200, 100], [200, 300], [400, 300]] as const) await drag(at, at); // prettier-ignore
  await expect.element(page.getByRole('button', { name: 'Angle: 90.0°' })).toBeInTheDocument();
});

test('labels of 12 lengths within 200 px cover neither each other nor an end', async () => {
  await opened();
  const ends: (readonly [number, number])[] = [];
  for (let nth = 0; nth < 12; nth++) {
    const [from, to] = [[200 + 17 * nth, 150 + ((nth * 53) % 200)], [200 + ((nth * 71) % 200), 350 - 15 * nth]] as const; // prettier-ignore
    await userEvent.keyboard('l');
    await expect.element(surface()).toBeInTheDocument();
    await drag(from, to);
    ends.push(from, to);
  }
  await expect.poll(() => shapes().all().length).toBe(12);
  await shot('measure-labels');
  const { left, top } = glass();
  const boxes = [...document.querySelectorAll('.measure text')].map((one) => one.getBoundingClientRect());
  const overlaps = (a: DOMRect, b: DOMRect) =>
    a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom;
  expect(boxes).toHaveLength(12);
  expect(boxes.filter((one, at) => boxes.slice(at + 1).some((other) => overlaps(one, other)))).toEqual([]);
  const covered = ([x, y]: readonly [number, number]) =>
    boxes.some((one) => overlaps(one, new DOMRect(left + x, top + y, 1, 1)));
  expect(ends.filter(covered)).toEqual([]);
});

test('regions have their values and area, a probe its value; nothing is invented beyond the image', async () => {
  await opened();
  await userEvent.keyboard('b');
  await drag([9.6, 9.6], [19.4, 15.4]);
  await expect
    .element(
      page.getByRole('button', {
        name: 'Rectangle: area 14.2 mm²; mean 14.5, SD 2.87 HU; 10 to 19 HU; 60 pixels',
      }),
    )
    .toBeInTheDocument();
  await userEvent.keyboard('e');
  await drag([300, 300], [500, 400]);
  await expect
    .element(page.getByRole('button', { name: /^Ellipse: area .* mm²; no values: outside the image$/ }))
    .toBeInTheDocument();
  await userEvent.keyboard('v');
  await drag([20, 30], [42, 30]);
  await expect
    .element(page.getByRole('button', { name: 'Value at a point: value 42 HU' }))
    .toBeInTheDocument();
});

test('a finger draws; two fingers zoom and draw nothing; the hint has a button to cancel', async () => {
  const { imaging } = await opened({ size: PHONE });
  await page.getByRole('button', { name: 'Measure', exact: true }).click();
  await expect.element(page.getByRole('menuitem', { name: /Length/ })).toBeVisible();
  await shot('measure-menu-phone');
  await page.getByRole('menuitem', { name: /Length/ }).click();
  await expect.element(page.getByText('Length: point 1 of 2')).toBeVisible();
  const one = { pointerType: 'touch', pointerId: 1 };
  const two = { pointerType: 'touch', pointerId: 2, isPrimary: false };
  pointer('pointerdown', [100, 150], one);
  pointer('pointerdown', [200, 150], two);
  pointer('pointermove', [300, 150], two);
  pointer('pointerup', [300, 150], two);
  pointer('pointerup', [100, 150], one);
  await expect.element(page.getByText('200 %')).toBeVisible();
  expect(shapes().all()).toHaveLength(0);
  expect(imaging.drawn.view.toImage([0, 0])[0]).not.toBe(0);
  await drag([100, 150], [200, 150], one);
  await expect.element(page.getByRole('button', { name: 'Length: 25.0 mm' })).toBeInTheDocument();
  await shot('measure-phone');
  expect(scrollsSideways()).toBe(false);
  expect(await violations()).toEqual([]);
  await page.getByRole('button', { name: 'Measure', exact: true }).click();
  await page.getByRole('menuitem', { name: /Angle/ }).click();
  await page.getByRole('button', { name: 'Cancel' }).click();
  await expect.element(surface()).not.toBeInTheDocument();
});

test('by keys alone: points by arrows and Enter, then each point is a stop of Tab and moves by arrows', async () => {
  await opened();
  await userEvent.keyboard('l');
  await expect.element(surface()).toHaveFocus();
  await userEvent.keyboard('{Enter}');
  await expect.element(page.getByText('Length: point 2 of 2').first()).toBeInTheDocument();
  await userEvent.keyboard('{Shift>}{ArrowRight}{ArrowRight}{/Shift}{ArrowRight}{ArrowRight}');
  await userEvent.keyboard('{Enter}');
  const length = (mm: string) => page.getByRole('button', { name: `Length: ${mm} mm` });
  await expect.element(length('11.0')).toHaveFocus();
  await expect.element(page.getByRole('status').filter({ hasText: 'Length: 11.0 mm' })).toBeInTheDocument();
  await userEvent.keyboard('{Tab}{Tab}');
  await expect.element(page.getByRole('button', { name: 'Point 2 of 2; arrow keys move it' })).toHaveFocus();
  await userEvent.keyboard('{ArrowRight}{ArrowRight}{ArrowLeft}');
  await expect.element(length('11.5')).toBeInTheDocument();
  // The image has not scrolled.
  await expect.element(page.getByText('image 14/24')).toBeVisible();
  await userEvent.keyboard('{Control>}z{/Control}');
  await expect.element(length('11.0')).toBeInTheDocument();
  await userEvent.keyboard('{Delete}');
  expect(shapes().all()).toHaveLength(0);
});

test('Esc drops the point, then the tool', async () => {
  await opened();
  await userEvent.keyboard('l{Enter}');
  await expect.element(page.getByText('Length: point 2 of 2').first()).toBeInTheDocument();
  await userEvent.keyboard('{Escape}');
  await expect.element(page.getByText('Length: point 1 of 2')).toBeVisible();
  await userEvent.keyboard('{Escape}');
  await expect.element(surface()).not.toBeInTheDocument();
});

test('a point is dragged to another place, a line is moved as a whole', async () => {
  await opened();
  await userEvent.keyboard('l');
  await drag([100, 100], [300, 100]);
  await drag([301, 101], [401, 101]);
  await expect.element(page.getByRole('button', { name: 'Length: 150.0 mm' })).toBeInTheDocument();
  await drag([200, 101], [200, 251]);
  await expect.element(page.getByRole('button', { name: 'Length: 150.0 mm' })).toBeInTheDocument();
  const line = shapes().element().querySelector('.line')!.getBoundingClientRect();
  expect(Math.round(line.top - glass().top)).toBe(250);
});

test('a measurement is on its own image alone; the list leads back to it', async () => {
  const { imaging } = await opened();
  await userEvent.keyboard('l');
  await drag([100, 100], [300, 100]);
  await expect.element(shapes()).toBeInTheDocument();
  await userEvent.keyboard('{ArrowDown}');
  await expect.element(page.getByText('image 15/24')).toBeVisible();
  expect(shapes().all()).toHaveLength(0);
  await userEvent.keyboard('{Shift>}M{/Shift}');
  await shot('measure-list');
  await page.getByRole('button', { name: 'Show Length: 100.0 mm, series 3, image 14' }).click();
  await expect.element(page.getByText('image 14/24')).toBeVisible();
  await expect.element(shapes()).toBeInTheDocument();
  // While another image is wanted the glass has what it had, with its measurements.
  imaging.drawn.held = true;
  document.querySelector<HTMLElement>('.glass')!.focus();
  await userEvent.keyboard('{End}');
  await expect.element(page.getByText('image 14 is shown; 24 is loading')).toBeVisible();
  expect(shapes().all()).toHaveLength(1);
  imaging.drawn.view.show();
  await expect.element(shapes()).not.toBeInTheDocument();
  // From another series too.
  imaging.drawn.held = false;
  await page.getByRole('option').nth(3).click();
  await expect.element(page.getByText('image 25/48')).toBeVisible();
  await page.getByRole('button', { name: 'Show Length: 100.0 mm, series 3, image 14' }).click();
  await expect.element(page.getByText('image 14/24')).toBeVisible();
  await expect.element(shapes()).toBeInTheDocument();
});

test('an arrow has a note', async () => {
  await opened();
  await userEvent.keyboard('n');
  await drag([300, 300], [420, 220]);
  await expect.element(page.getByRole('textbox', { name: 'Note' })).toHaveFocus();
  await userEvent.keyboard('Look at this{Enter}');
  await expect
    .element(page.getByRole('button', { name: 'Arrow with a note: Look at this' }))
    .toBeInTheDocument();
  await shot('measure-arrow');
});

test('another patient has no measurements of the one before', async () => {
  const { records } = await opened();
  await userEvent.keyboard('l');
  await drag([100, 100], [300, 100]);
  await expect.element(shapes()).toBeInTheDocument();
  const before = records.answer;
  records.answer = { ...before, person: { ...before.person, id: 'samir', name: 'Samir Haddad' } };
  history.pushState(null, '', STUDY.replace('helen', 'samir'));
  window.dispatchEvent(new PopStateEvent('popstate'));
  await expect.element(page.getByRole('heading', { name: 'Samir Haddad' })).toBeVisible();
  await expect.element(page.getByText('image 14/24')).toBeVisible();
  await expect.element(shapes()).not.toBeInTheDocument();
});
