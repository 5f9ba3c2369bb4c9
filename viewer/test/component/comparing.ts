/** The page with an earlier study beside the newest one. */
import { page } from 'vitest/browser';
import type { Stack } from '../../src/domain/series/stacks.ts';
import { compare } from '../../src/features/compare/feature.ts';
import { RECORD_WITH_PRIOR, stackOf } from './fixtures.ts';
import { open, type Opened } from './open.ts';

export const FLAIR = '?tenant=demo&patient=helen&study=1.2.10&series=1.2.10.3&image=14';
export const BESIDE = `${FLAIR}&layout=1x2&beside=1.2.40%2F1.2.40.2`;

export const prior = () => page.getByRole('region', { name: 'Image of 8 Jan 2025' });
export const current = () => page.getByRole('region', { name: 'Image of 12 Mar 2026' });
export const timeline = () => page.getByRole('navigation', { name: 'Timeline' });
export const asked = (name: string) => new URLSearchParams(location.search).get(name);

/** Every series is axial; slices follow each other at 5 mm, those of the prior begin 15 mm further up. */
export function placed(name: { study: string; series: string }): Stack[] {
  const stack = stackOf(name);
  const from = name.study === '1.2.40' ? 15 : 0;
  return [
    {
      ...stack,
      frames: stack.frames.map((frame, index) => ({
        ...frame,
        metadata: {
          ...frame.metadata,
          '00200032': { vr: 'DS', Value: [0, 0, from + 5 * index] },
          ...(name.study === '1.2.40' && { '00080022': { vr: 'DA', Value: ['20250108'] } }),
        },
      })),
    },
  ];
}

function withPrior({ records, imaging }: Opened): void {
  records.answer = RECORD_WITH_PRIOR;
  records.comparable = ['1.2.40'];
  imaging.stacks = placed;
}
export const openPage = (
  query: string,
  { size, prepare }: { size?: readonly [number, number]; prepare?: (fakes: Opened) => void } = {},
) =>
  open(query, {
    ...(size && { size }),
    features: [compare],
    prepare: (fakes) => {
      withPrior(fakes);
      prepare?.(fakes);
    },
  });
