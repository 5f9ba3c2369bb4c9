/** The results of the playground in the page, and answers to show in them. */
import { page } from 'vitest/browser';
import { cleanup, render } from 'vitest-browser-svelte';
import '../../src/ui/classes.css';
import type { Answer, GraphqlAnswer } from '../../src/playground/answer.ts';
import type { PageFacts } from '../../src/playground/page-facts.ts';
import type { ReadRows } from '../../src/playground/results/all-rows.ts';
import type { LoadPicture } from '../../src/playground/results/pictures.ts';
import Results from '../../src/playground/results/Results.svelte';

const facts: PageFacts = {
  tenant: 'demo',
  base: 'http://gateway/demo',
  gateway: 'http://gateway/',
  access: 'none',
  explains: false,
};
export const thumbnail = (series: number) =>
  `http://gateway/demo/dicom-web/studies/1.2.3/series/1.2.3.${series}/thumbnail`;

export const STUDIES: GraphqlAnswer = {
  data: {
    Patient: {
      birthDate: '1971-03-02',
      ImagingStudyList: [
        ['2024-03-01T09:30:00Z', 'CT', 'CT chest with contrast', 312, true],
        ['2021-11-20', 'MR', 'MR knee left', 96, false],
        ['2025-06-02', 'CT', '=HYPERLINK("http://x")', 120, true],
        ['2019-01', 'US', null, 8, null],
      ].map(([started, code, description, numberOfInstances, isUrgent], at) => ({
        started,
        modality: [{ code }],
        description,
        numberOfInstances,
        isUrgent,
        series: [{ uid: `1.2.3.${at}`, thumbnailUrl: thumbnail(at) }],
      })),
    },
  },
};

export function answerOf(json: GraphqlAnswer | undefined, more: Partial<Answer> = {}): Answer {
  const text = JSON.stringify(json) ?? '<html>';
  const asked = { query: '{ x }', variables: {} };
  return { asked, status: 200, milliseconds: 132.4, bytes: text.length, text, json, ...more };
}

export const picture = async () => {
  const canvas = new OffscreenCanvas(64, 64);
  const context = canvas.getContext('2d')!;
  context.fillStyle = '#777';
  context.fillRect(8, 8, 48, 48);
  return canvas.convertToBlob();
};

export async function open(
  answer: Answer,
  {
    size = [1400, 450],
    load = picture,
    readRows = () => Promise.reject(new Error('No rows.')),
    isOld = false,
  }: { size?: readonly [number, number]; load?: LoadPicture; readRows?: ReadRows; isOld?: boolean } = {},
) {
  await cleanup();
  await page.viewport(...size);
  const shown = await render(Results, { answer, facts, load, readRows, isOld });
  shown.container.style.height = `${size[1]}px`;
  shown.container.role = 'main';
  return shown;
}

export const choose = (name: string) => page.getByText(name, { exact: true }).click();
export const header = (name: string) => page.getByRole('columnheader', { name, exact: true });
/** Texts of a column, from top to bottom. */
export const column = (at: number) =>
  [...document.querySelectorAll<HTMLTableRowElement>('tbody tr:not([aria-hidden])')].map(
    ({ cells }) => cells[at]!.textContent,
  );
