import { expect, it } from '@jest/globals';
import { Drains } from './drains.js';

it.each([
  ['the oldest of the tenant over its limit', ['a', 'b', 'a', 'a'], ['a0']],
  ['the oldest of all over the limit of all', ['a', 'b', 'c', 'd', 'e'], ['a0']],
  ['nobody within both limits', ['a', 'a', 'b', 'b'], []],
  ['one for each that is too many', ['a', 'a', 'a', 'a'], ['a0', 'a1']],
])('cuts %s', (_, tenants, expected) => {
  const cut: string[] = [];
  let draining = 0;
  const drains = new Drains({ total: 4, perTenant: 2 }, (now) => {
    draining = now;
  });
  tenants.forEach((tenantId, nth) => {
    drains.begin({ tenantId, cut: () => void cut.push(`${tenantId}${nth}`) });
  });
  expect(cut).toEqual(expected);
  expect(draining).toBe(tenants.length - expected.length);
});

it('makes room when one ends', () => {
  const cut: string[] = [];
  const drains = new Drains({ total: 1, perTenant: 1 }, () => undefined);
  const first = { tenantId: 'a', cut: () => void cut.push('first') };
  drains.begin(first);
  drains.end(first);
  drains.begin({ tenantId: 'a', cut: () => void cut.push('second') });
  expect(cut).toEqual([]);
});
