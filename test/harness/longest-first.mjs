import { SIDE_BY_SIDE } from '../../jest.journeys.config.mjs';

/** The order of the journeys that run two at a time. Jest's own goes by the size of a file, and the longest stories have short ones. */
export default class LongestFirst {
  sort(tests) {
    return [...tests].sort((a, b) => placeOf(a.path) - placeOf(b.path));
  }

  cacheResults() {}
}

function placeOf(file) {
  return SIDE_BY_SIDE.findIndex((name) => file.endsWith(`/${name}.e2e.spec.ts`));
}
