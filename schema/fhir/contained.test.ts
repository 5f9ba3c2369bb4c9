import type { Reference, Resource } from 'fhir/r4.js';
import { describe, expect, it } from 'vitest';
import { bindContained, containedTarget } from './contained.ts';

describe('contained resources', () => {
  const inside = { resourceType: 'Practitioner', id: 'p' };
  const condition = () => ({
    resourceType: 'Condition',
    contained: [inside],
    asserter: { reference: '#p' },
    stage: [{ assessment: [{ reference: '#' }, { reference: '#none' }, { reference: 'Practitioner/p' }] }],
  });

  it('are found from references at any depth, and only from local ones', () => {
    const resource = bindContained(condition() as unknown as Resource) as unknown as ReturnType<
      typeof condition
    >;
    const [self, none, literal] = resource.stage[0]!.assessment as Reference[];
    expect(containedTarget(resource.asserter)).toEqual(inside);
    expect(containedTarget(self!)).toBe(resource);
    expect(containedTarget(none!)).toBeUndefined();
    expect(containedTarget(literal!)).toBeUndefined();
  });

  it('do not change the JSON of the resource', () => {
    expect(JSON.parse(JSON.stringify(bindContained(condition() as unknown as Resource)))).toEqual(
      condition(),
    );
  });
});
