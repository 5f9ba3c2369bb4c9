import axe from 'axe-core';
import { expect, test } from 'vitest';
import { page, userEvent } from 'vitest/browser';
import type { Instance } from '../../src/domain/instance.ts';
import { open, PHONE, scrollsSideways, shot, type Opened } from './open.ts';

const CT_STUDY = '?tenant=demo&patient=helen&study=1.2.20';
const CT: Instance = {
  '00080060': { vr: 'CS', Value: ['CT'] },
  '00281050': { vr: 'DS', Value: [40, -500] },
  '00281051': { vr: 'DS', Value: [400, 1400] },
  '00281052': { vr: 'DS', Value: [-1024] },
  '00281055': { vr: 'LO', Value: ['STANDARD', 'LUNG'] },
};
const openCt = (options: Parameters<typeof open>[1] = {}, metadata = CT) =>
  open(CT_STUDY, { ...options, prepare: ({ imaging }) => (imaging.metadata = metadata) });
const menu = () => page.getByRole('button', { name: /^Window/ });

test('windows of a CT: the menu names them, sets one, and says which is set', async () => {
  const { imaging } = await openCt();
  await expect.element(menu()).toHaveTextContent('As stored: STANDARD');
  await menu().click();
  const items = page.getByRole('menuitemradio');
  await expect.element(items.first()).toHaveAttribute('aria-checked', 'true');
  expect(items.all().map((one) => one.element().textContent?.trim())).toEqual([
    'As stored: STANDARD',
    'As stored: LUNG',
    'Full range',
    'Soft tissue',
    'Lung',
    'Bone',
    'Brain',
    'Brain, narrow (stroke)',
    'Liver',
    'Vessels with contrast',
  ]);
  await shot('window-menu');
  const { violations } = await axe.run('[role="menu"]', { resultTypes: ['violations'] });
  expect(violations.map(({ id }) => id)).toEqual([]);
  await page.getByRole('menuitemradio', { name: 'Lung', exact: true }).click();
  await expect.element(page.getByText('W 1500 L -600')).toBeVisible();
  await expect.element(menu()).toHaveTextContent('Lung');
  expect(imaging.drawn.view.window).toEqual({ centre: -600, width: 1500 });
  await expect.poll(() => new URLSearchParams(location.search).get('window')).toBe('-600/1500');
});

test('w and Shift+w go through the windows and come back to that of the image', async () => {
  const { imaging } = await openCt();
  await expect.element(menu()).toHaveTextContent('As stored: STANDARD');
  await userEvent.keyboard('w');
  await expect.element(menu()).toHaveTextContent('As stored: LUNG');
  await userEvent.keyboard('w');
  await expect.element(menu()).toHaveTextContent('Full range');
  // The phantom's values are its columns, 0 to 63.
  await expect.element(page.getByText('W 64 L 32')).toBeVisible();
  await userEvent.keyboard('{Shift>}WWW{/Shift}');
  await expect.element(menu()).toHaveTextContent('Vessels with contrast');
  await userEvent.keyboard('w');
  await expect.element(menu()).toHaveTextContent('As stored: STANDARD');
  expect(imaging.drawn.view.window).toBeUndefined();
  await userEvent.keyboard('{Shift>}{ArrowUp}{/Shift}');
  await expect.element(menu()).toHaveTextContent('Own');
  await userEvent.keyboard('w');
  await expect.element(menu()).toHaveTextContent('As stored: STANDARD');
});

test('the choice names the button, though a window of the image has the same values', async () => {
  await openCt(
    {},
    {
      ...CT,
      '00281050': { vr: 'DS', Value: [40, -600, 700] },
      '00281051': { vr: 'DS', Value: [400, 1500, 3000] },
      '00281055': { vr: 'LO', Value: [] },
    },
  );
  await expect.element(menu()).toHaveTextContent('From the image 1 of 3');
  for (const name of ['Lung', 'From the image 2 of 3']) {
    await menu().click();
    await page.getByRole('menuitemradio', { name, exact: true }).click();
    await expect.element(page.getByText('W 1500 L -600')).toBeVisible();
    await expect.element(menu()).toHaveTextContent(new RegExp(`^${name}$`));
  }
});

test('a CT whose values are not in Hounsfield units says why it has no usual windows', async () => {
  const { ['00281052']: _intercept, ...without } = CT;
  await openCt({}, without);
  await expect.element(menu()).toHaveTextContent('As stored: STANDARD');
  await menu().click();
  await expect.element(page.getByText(/^No windows in Hounsfield units/)).toBeVisible();
  await expect
    .element(page.getByRole('menuitemradio', { name: 'Lung', exact: true }))
    .not.toBeInTheDocument();
});

test('letters find a window in the open menu, and are no keys of commands; Esc closes only the menu', async () => {
  await openCt();
  await expect.element(menu()).toHaveTextContent('STANDARD');
  await menu().click();
  await userEvent.keyboard('b');
  await expect.element(page.getByRole('menuitemradio', { name: 'Bone' })).toHaveAttribute('data-highlighted');
  await userEvent.keyboard('f');
  await userEvent.keyboard('{Escape}');
  await expect.element(page.getByRole('menu')).not.toBeInTheDocument();
  await expect.element(page.getByText('image 101/200')).toBeVisible();
  await expect.element(menu()).toHaveTextContent('STANDARD');
});

test('an image in colours has no windows', async () => {
  await openCt({}, { '00280002': { vr: 'US', Value: [3] } });
  await expect.element(page.getByText('image 101/200')).toBeVisible();
  await menu().click();
  await expect.element(page.getByRole('menuitemcheckbox', { name: 'Invert' })).toBeVisible();
  await expect.element(page.getByRole('menuitemradio')).not.toBeInTheDocument();
});

test('a phone has the name of the window below the icon', async () => {
  await openCt({ size: PHONE });
  await expect.element(page.getByText('image 101/200')).toBeVisible();
  await menu().click();
  await expect.element(page.getByRole('menuitemradio', { name: 'Bone' })).toBeVisible();
  await shot('phone-window-menu');
  expect(scrollsSideways()).toBe(false);
});

const PET: Instance = {
  '00080060': { vr: 'CS', Value: ['PT'] },
  '00280004': { vr: 'CS', Value: ['MONOCHROME2'] },
  '00281050': { vr: 'DS', Value: [5000] },
  '00281051': { vr: 'DS', Value: [10000] },
};

test('a PET begins black on white, and i turns it; a reset begins again', async () => {
  const { imaging } = await openCt({}, PET);
  await expect.element(menu()).toHaveTextContent('As stored');
  const { view } = imaging.drawn;
  expect(view.inverted).toBe(true);
  await menu().click();
  const item = page.getByRole('menuitemcheckbox', { name: /Invert/ });
  await expect.element(item).toHaveAttribute('aria-checked', 'true');
  await shot('pet-inverted');
  await item.click();
  expect(view.inverted).toBe(false);
  await userEvent.keyboard('0');
  expect(view.inverted).toBe(true);
  await userEvent.keyboard('i');
  expect(view.inverted).toBe(false);
});

test('a PET without SUV says why it has no windows in it; one with SUV has them', async () => {
  const openPet = (units: string) => {
    const metadata = { ...PET, '00541001': { vr: 'CS', Value: [units] } };
    const prepare = ({ imaging }: Opened) => Object.assign(imaging, { metadata, instances: [metadata] });
    return open(CT_STUDY, { prepare });
  };
  await openPet('CNTS');
  await menu().click();
  await expect
    .element(page.getByRole('menu'))
    .toHaveTextContent('SUV not shown: the values are in other units');
  await openPet('GML');
  await menu().click();
  for (const name of ['SUV 0–5', 'SUV 0–10', 'SUV 0–15'])
    await expect.element(page.getByRole('menuitemradio', { name, exact: true })).toBeVisible();
});
