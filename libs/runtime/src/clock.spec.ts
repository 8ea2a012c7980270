import { expect, it } from '@jest/globals';
import { SystemClock } from './clock.js';

const clock = new SystemClock();
const timers = (): number => process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length;

it('waits for work no longer than it takes, and leaves no timer behind', async () => {
  const before = timers();
  await clock.within(60_000, Promise.resolve());
  expect(timers()).toBe(before);
});

it('does not wait for work that does not end', async () => {
  const startedMs = clock.monotonicMs();
  await clock.within(50, new Promise(() => undefined));
  expect(clock.monotonicMs() - startedMs).toBeGreaterThan(40);
});

it('throws what the work throws, and leaves no timer behind', async () => {
  const before = timers();
  await expect(clock.within(60_000, Promise.reject(new Error('broken')))).rejects.toThrow('broken');
  expect(timers()).toBe(before);
});
