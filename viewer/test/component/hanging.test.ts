import { expect, test } from 'vitest';
import { page, userEvent } from 'vitest/browser';
import type { Study } from '../../src/domain/study.ts';
import { RECORD, stackOf } from './fixtures.ts';
import { open, type Opened, PHONE, shot } from './open.ts';

const HELEN = '?tenant=demo&patient=helen';
const BRAIN = `${HELEN}&study=1.2.10`;
const WIDE = [1920, 1080] as const;
const cells = () => page.getByRole('region', { name: /^Image/ });
/** What is written at the top left of each cell; an empty text for an empty place. */
const hung = () =>
  cells()
    .all()
    .map((one) => one.element().querySelector('.top-left')?.textContent?.trim() ?? '');
/** The button of a study in the timeline; beside it is one that shows it beside. */
const entry = (study: string) => page.getByRole('button', { name: new RegExp(`^(?!Show beside).*${study}`) });

/** The record with another study in place of the CT. */
const withStudy =
  (study: Partial<Study>) =>
  ({ records, imaging }: Opened) => {
    const studies = RECORD.studies.map((one) => (one.uid === '1.2.20' ? { ...one, ...study } : one));
    records.answer = { ...RECORD, studies };
    imaging.stacks = (name) => {
      const series = study.series!.find(({ uid }) => uid === name.series)!;
      const changes = { '0008103E': { vr: 'LO', Value: [series.description] } };
      return [stackOf(name, { count: series.numberOfInstances ?? 1, changes })];
    };
  };

test('a brain on a wide screen: T1, T2, FLAIR and diffusion, as far as there are', async () => {
  await open(BRAIN, { size: WIDE });
  await expect
    .poll(hung)
    .toEqual([
      expect.stringContaining('T1 MPRAGE'),
      expect.stringContaining('T1 axial'),
      expect.stringContaining('FLAIR'),
      expect.stringContaining('DWI'),
    ]);
  await shot('hanging-brain');
  await expect.poll(() => new URLSearchParams(location.search).get('layout')).toBe('2x2');
});

test('a key for a layout before a study is open does nothing', async () => {
  await open('?tenant=demo', { size: WIDE });
  await expect.element(page.getByText('Whose images?')).toBeVisible();
  await userEvent.keyboard('2');
  await page.getByRole('button', { name: /Helen/ }).click();
  await entry('CT scan of the chest').first().click();
  await expect.poll(hung).toHaveLength(1);
  expect(localStorage.getItem('viewer.preferences')).toBeNull();
  await userEvent.keyboard('2');
  await expect.poll(hung).toHaveLength(2);
});

test('nor does it on the timeline of a phone', async () => {
  await open(`${HELEN}&screen=timeline`, { size: PHONE });
  await expect.element(entry('CT scan of the chest').first()).toBeVisible();
  await userEvent.keyboard('2');
  expect(localStorage.getItem('viewer.preferences')).toBeNull();
});

test('the address comes before the rules: its layout, or its one series', async () => {
  await open(`${BRAIN}&layout=1x2`, { size: WIDE });
  await expect.poll(hung).toEqual([expect.stringContaining('T1 MPRAGE'), expect.any(String)]);
  await open(`${BRAIN}&series=1.2.10.3`, { size: WIDE });
  await expect.poll(hung).toEqual([expect.stringContaining('FLAIR')]);
});

test('a reload of four images shows them again, the active one where it was', async () => {
  await open(`${BRAIN}&layout=2x2&series=1.2.10.3&image=5`, { size: WIDE });
  await expect.poll(() => hung()[2]).toContain('FLAIR');
  await expect.element(page.getByText('image 5/24')).toBeVisible();
  await expect.poll(() => hung()[0]).toContain('T1 MPRAGE');
});

test('mammography: four views, right beside left', async () => {
  const views = ['R MLO', 'L MLO', 'R CC', 'L CC'];
  const series = views.map((description, index) => ({
    uid: `1.2.20.${index + 1}`,
    number: index + 1,
    modality: 'MG',
    description,
    numberOfInstances: 1,
  }));
  const study = { description: 'Mammography', modalities: ['MG'], series };
  await open(`${HELEN}&study=1.2.20`, { prepare: withStudy(study) });
  await expect
    .poll(hung)
    .toEqual(['R CC', 'L CC', 'R MLO', 'L MLO'].map((view) => expect.stringContaining(view)));
  await shot('hanging-mammography');
  await open(`${HELEN}&study=1.2.20&layout=2x2`, { size: PHONE, prepare: withStudy(study) });
  await expect.poll(() => hung().length).toBe(1);
});

test('how the person divides the stage is kept for the next study of the modality', async () => {
  await open(`${HELEN}&study=1.2.20`);
  await expect.poll(hung).toEqual([expect.stringContaining('Chest')]);
  await userEvent.keyboard('2');
  await expect.poll(() => hung().length).toBe(2);
  await page.getByRole('button', { name: /ago.*MRI of the brain/ }).click();
  await expect.poll(hung).toEqual([expect.stringContaining('T1 MPRAGE')]);
  await page.getByRole('button', { name: /ago.*CT scan of the chest/ }).click();
  await expect.poll(hung).toEqual([expect.stringContaining('Chest'), '']);
  expect(JSON.parse(localStorage.getItem('viewer.preferences')!)).toMatchObject({ layouts: { CT: '1x2' } });
});
