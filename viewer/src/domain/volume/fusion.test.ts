import { expect, test } from 'vitest';
import type { Instance } from '../instance.ts';
import type { Stack } from '../series/stacks.ts';
import type { Series, Study } from '../study.ts';
import { fusionCandidates, petScaleOf } from './fusion.ts';

const series = (uid: string, modality: string, numberOfInstances = 1): Series => ({
  uid,
  modality,
  numberOfInstances,
});
const study = (uid: string, ...all: Series[]): Study => ({ uid, id: uid, modalities: [], series: all });

test('a PET may lie over a CT or an MR: the active one first, then a CT, then the longest', () => {
  const mr = series('mr', 'MR', 300);
  const studies = [
    study('a', series('scout', 'CT', 2), series('pt', 'PT', 90), series('ct', 'CT', 200), series('sr', 'SR')),
    study('b', mr, series('late', 'PT', 100)),
  ];
  const uids = (active?: Series) => {
    const { pets, bases } = fusionCandidates(studies, active);
    return [pets, bases].map((all) => all.map((one) => one.series.uid).join(' '));
  };
  expect(uids()).toEqual(['late pt', 'ct scout mr']);
  expect(uids(mr)).toEqual(['late pt', 'mr ct scout']);
  expect(uids(studies[0]!.series[1])).toEqual(['pt late', 'ct scout mr']);
});

const stackOf = (values: Record<string, unknown>): [Stack, Instance[]] => {
  const metadata = Object.fromEntries(
    Object.entries({ '00080060': 'PT', ...values }).map(([tag, value]) => [
      tag,
      { vr: 'UN', Value: [value] },
    ]),
  );
  const name = { study: '1', series: '2', instance: '3', frame: 1 };
  return [{ key: 'all', frames: [{ id: '1/2/3/1', name, metadata, bytes: 2 }] }, [metadata]];
};

test('a PET is shown in SUV, or up to the end of its own window; with neither it is not', () => {
  const window = { '00281050': 400, '00281051': 800 };
  expect(petScaleOf(...stackOf({ '00541001': 'GML', ...window }))).toEqual({
    factor: 1,
    unit: 'SUV',
    choices: [5, 10, 15],
    usual: 10,
  });
  expect(petScaleOf(...stackOf({ '00541001': 'BQML', ...window }))).toEqual({
    factor: 1,
    unit: 'Bq/ml',
    choices: [800],
    usual: 800,
  });
  expect(petScaleOf(...stackOf({ '00541001': 'CNTS' }))).toBeUndefined();
});
