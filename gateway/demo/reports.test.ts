import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { ALL_DEMO_IMAGES } from '../test/setup/demo-images.ts';
import { demoUid } from './stories.ts';

describe('the Structured Reports', () => {
  const dump = (study: string, number: number) =>
    execFileSync(
      'dsrdump',
      ['-q', '+Pc', '+Pu', join(ALL_DEMO_IMAGES, study, `series-${number}`, '0001.dcm')],
      { encoding: 'utf8' },
    );

  test.each([
    ['castellanos-ct-chest-2025', 25, '6'],
    ['castellanos-ct-chest-2026', 87, '9'],
  ])('%s: the nodule of its report, measured on image %i', (study, instance, diameter) => {
    const text = dump(study, 900);
    expect(text).toContain('Comprehensive SR Document');
    expect(text).toContain(`NUM:(103339001,SCT,"Long Axis")="${diameter}" (mm,UCUM,"millimeter")`);
    const tracking = demoUid('tracking', 'castellanos nodule 1');
    expect(text).toContain(`(112040,DCM,"Tracking Unique Identifier")="${tracking}"`);
    expect(text).toContain(`(CT image,"${demoUid('instance', study, 2, instance)}")`);
  });

  test('key images of this study and of the one before', () => {
    const text = dump('castellanos-ct-chest-2026', 903);
    expect(text).toContain('Key Object Selection Document');
    expect(text).toContain('(113000,DCM,"Of Interest")');
    const images = [
      ['castellanos-ct-chest-2026', 2, 87],
      ['castellanos-ct-chest-2026', 3, 22],
      ['castellanos-ct-chest-2025', 2, 25],
    ] as const;
    for (const [study, series, instance] of images)
      expect(text).toContain(`(CT image,"${demoUid('instance', study, series, instance)}")`);
  });

  test('the dose of the CT: its total is that of its acquisitions', () => {
    const text = dump('castellanos-ct-chest-2026', 901);
    expect(text).toContain('X-Ray Radiation Dose SR Document');
    const values = (name: string) =>
      [...text.matchAll(new RegExp(`"${name}"\\)="([\\d.]+)" \\(mGy.cm`, 'g'))].map(([, value]) =>
        Number(value),
      );
    const [total] = values('CT Dose Length Product Total');
    expect(total).toBe(67.4);
    expect(values('DLP').reduce((sum, one) => sum + one)).toBeCloseTo(total!, 6);
  });
});
