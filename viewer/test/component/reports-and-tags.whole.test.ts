import { expect, test, vi } from 'vitest';
import { page, userEvent } from 'vitest/browser';
import type { Report } from '../../src/domain/record/record.ts';
import { features } from '../../src/features.ts';
import { RECORD, stackOf } from './fixtures.ts';
import { open, PHONE, scrollsSideways, shot, violations, type Opened } from './open.ts';

const STUDY = '?tenant=demo&patient=helen&study=1.2.10';
const panel = () => page.getByRole('region', { name: 'Report' });
const link = () => panel().getByRole('link', { name: 'series 3, image 14' });

/** Opens Helen's MR with other reports. @param changes of her report, one for each */
function openReports(changes: readonly Partial<Report>[], size?: readonly [number, number]): Promise<Opened> {
  return open(STUDY, {
    features,
    ...(size && { size }),
    prepare: ({ records }) =>
      (records.answer = {
        ...RECORD,
        reports: changes.map((change, index) => ({ ...RECORD.reports[0]!, id: String(index), ...change })),
      }),
  });
}

test('an image that a report names is a link; there, the sentence and the image are marked', async () => {
  await open(STUDY, { features });
  await expect.element(page.getByText('image 89/176')).toBeVisible();
  const mark = page.getByText('in the report');
  await expect.element(mark).not.toBeInTheDocument();
  expect(panel().element().querySelector('mark')).toBeNull();
  await link().click();
  await expect.element(page.getByText('image 14/24')).toBeVisible();
  await expect.element(mark).toBeVisible();
  expect(panel().element().querySelector('mark')!.textContent).toBe(
    'There is a 9 mm lesion in the left frontal white matter, bright on FLAIR (series 3, image 14). ',
  );
  await shot('in-the-report');
  expect(await violations()).toEqual([]);
  await userEvent.keyboard('{ArrowDown}');
  await expect.element(page.getByText('image 15/24')).toBeVisible();
  await expect.element(mark).not.toBeInTheDocument();
  await link().click();
  await expect.element(page.getByText('image 14/24')).toBeVisible();
});

test('a link shows the whole image, though it was zoomed; the window stays', async () => {
  await open(STUDY, { features });
  await link().click();
  await expect.element(page.getByText('image 14/24')).toBeVisible();
  await userEvent.keyboard('{Shift>}{ArrowUp}{/Shift}++{ArrowDown}');
  await expect.element(page.getByText('156 %')).toBeVisible();
  await expect.element(page.getByText('W 400 L 0')).toBeVisible();
  await link().click();
  await expect.element(page.getByText('image 14/24')).toBeVisible();
  await expect.element(page.getByText('100 %')).toBeVisible();
  await expect.element(page.getByText('W 400 L 0')).toBeVisible();
});

test('on a phone the link goes to the image, in the place of the report', async () => {
  await openReports([{}], PHONE);
  await page.getByRole('button', { name: 'Report', exact: true }).click();
  await link().click();
  await expect.element(page.getByText('image 14/24')).toBeVisible();
  await expect.element(panel()).not.toBeInTheDocument();
});

test('a number beyond the count, and a study that the record does not have, are no links', async () => {
  await openReports([
    { text: 'Series 3, image 25. Series 9, image 1. Accession ACC-9999, image 3. ACC-1001.' },
  ]);
  await expect.element(panel().getByText('ACC-9999')).toBeVisible();
  expect(panel().getByRole('link').all()).toEqual([]);
});

test('another study that a report names opens, beside the images if there is a place', async () => {
  const text = 'Compared with study 1.2.840.7.20, image 12, it is unchanged.';
  const ct = { ...RECORD.studies[1]!, uid: '1.2.840.7.20', accession: 'ACC-0900' };
  const prepare = ({ records }: Opened) => {
    const studies = [RECORD.studies[0]!, ct];
    records.answer = { ...RECORD, studies, reports: [{ ...RECORD.reports[0]!, text }] };
  };
  await open(STUDY, { features, prepare });
  await panel().getByRole('link', { name: 'image 12' }).click();
  await expect.element(page.getByText('image 12/200')).toBeVisible();
  await expect.poll(() => new URLSearchParams(location.search).get('study')).toBe(ct.uid);
  await open(STUDY, { features, prepare });
  await expect.element(page.getByText('image 89/176')).toBeVisible();
  await userEvent.keyboard('2');
  await panel().getByRole('link', { name: 'image 12' }).click();
  await expect.element(page.getByText('image 12/200')).toBeVisible();
  await expect.element(page.getByText('image 89/176')).toBeVisible();
  expect(new URLSearchParams(location.search).get('study')).toBe('1.2.10');
});

test('several reports: the newest is first; one that is not final says so', async () => {
  await openReports([
    { date: '2026-03-13', concept: { text: 'First reading' } },
    { date: '2026-03-14', status: 'preliminary', concept: { text: 'Second reading' } },
    { date: '2026-03-15', status: 'amended', concept: { text: 'Addendum' } },
  ]);
  await expect.element(panel().getByRole('heading', { name: 'Addendum' })).toBeVisible();
  const articles = panel().getByRole('article').all();
  expect(articles.map((one) => one.element().querySelector('h2')!.textContent)).toEqual([
    'Addendum',
    'Second reading',
    'First reading',
  ]);
  await expect
    .element(articles[1]!.getByText('This report is not final: it may still change.'))
    .toBeVisible();
  expect(panel().getByText('This report is not final').all()).toHaveLength(1);
  expect(await violations()).toEqual([]);
});

test('a PDF of a report is shown when it is asked for', async () => {
  const attachment = {
    contentType: 'application/pdf',
    title: 'Signed report',
    data: btoa('%PDF-1.4\n%%EOF'),
  };
  await openReports([{ text: '', attachments: [attachment] }]);
  const button = panel().getByRole('button', { name: 'Signed report' });
  await expect.element(button).toHaveAttribute('aria-expanded', 'false');
  await button.click();
  await expect
    .element(panel().getByRole('link', { name: 'Download' }))
    .toHaveAttribute('download', 'Signed report.pdf');
  await button.click();
  await expect.element(panel().getByRole('link', { name: 'Download' })).not.toBeInTheDocument();
});

const tags = () => page.getByRole('region', { name: 'Attributes' });

/** Opens Helen's MR with metadata of its instances; those of the longest series are 1.2.10.2.{number}. */
function openTags(size?: readonly [number, number]): Promise<Opened> {
  return open(STUDY, {
    features,
    ...(size && { size }),
    prepare: ({ imaging }) => {
      const { frames } = stackOf({ study: '1.2.10', series: '1.2.10.2' });
      imaging.instances = frames.map(({ metadata, name }) => ({
        ...metadata,
        '00080018': { vr: 'UI', Value: [name.instance] },
        '00081140': { vr: 'SQ', Value: [{ '00081155': { vr: 'UI', Value: ['9.8.7'] } }] },
        '00290010': { vr: 'LO', Value: ['SIEMENS CSA HEADER'] },
        '00291010': { vr: 'OB', InlineBinary: 'AAECAw==' },
      }));
    },
  });
}

test('the attributes of the shown image are read, searched and copied, and follow it', async () => {
  await openTags();
  await expect.element(page.getByText('image 89/176').first()).toBeVisible();
  await userEvent.keyboard('g');
  await expect.element(tags().getByText('1.2.10.2.89')).toBeVisible();
  await expect.element(tags().getByText('Patient Name (0010,0010) PN')).toBeVisible();
  await expect.element(tags().getByText('CASTELLANOS^HELEN^MARIE')).toBeVisible();
  await expect.element(tags().getByText('Private attribute SIEMENS CSA HEADER (0029,1010) OB')).toBeVisible();
  await expect.element(tags().getByText('binary data, 4 bytes')).toBeVisible();
  await userEvent.keyboard('{ArrowDown}');
  await expect.element(tags().getByText('1.2.10.2.90')).toBeVisible();
  await expect.element(tags().getByText('9.8.7')).not.toBeInTheDocument();
  await tags().getByRole('button', { name: '1 item' }).click();
  await expect.element(tags().getByText('9.8.7')).toBeVisible();
  await shot('attributes');
  expect(await violations()).toEqual([]);

  const search = tags().getByRole('searchbox', { name: 'Name, tag or value' });
  await search.fill('0010,0010');
  await expect.element(tags().getByText('SOP Instance UID')).not.toBeInTheDocument();
  const write = vi.spyOn(navigator.clipboard, 'writeText').mockResolvedValue();
  await tags().getByRole('button', { name: 'Copy: Patient Name' }).click();
  expect(write).toHaveBeenCalledWith('CASTELLANOS^HELEN^MARIE');
  await expect.element(tags().getByText('Copied: Patient Name')).toBeVisible();
  await search.fill('9.8.7');
  await expect.element(tags().getByText('Referenced SOP Instance UID')).toBeVisible();
  await search.fill('nothing like it');
  await expect.element(tags().getByText('Nothing is found.')).toBeVisible();
});

test('on a phone the attributes take the place of the image', async () => {
  await openTags(PHONE);
  await expect.element(page.getByText('image 89/176').first()).toBeVisible();
  await userEvent.keyboard('g');
  await expect.element(tags().getByText('1.2.10.2.89')).toBeVisible();
  expect(scrollsSideways()).toBe(false);
  await shot('attributes-phone');
  expect(await violations()).toEqual([]);
});
