import { AT_ONCE } from '../../jest.journeys.config.mjs';

/** The order of the journeys that run beside each other. Jest's own goes by the size of a file, and the longest stories have short ones. */
export default class LongestFirst {
  sort(tests) {
    return [...tests].sort((a, b) => placeOf(a.path) - placeOf(b.path));
  }

  cacheResults() {}
}

function placeOf(file) {
  return AT_ONCE.findIndex((name) => file.endsWith(`/${name}.e2e.spec.ts`));
}
