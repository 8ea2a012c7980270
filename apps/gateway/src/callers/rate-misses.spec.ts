import { expect, it } from '@jest/globals';
import { SystemClock } from '@vendo/runtime';
import { RateMisses } from './rate-misses.js';

class SkippingClock extends SystemClock {
  skippedMs = 0;

  override monotonicMs(): number {
    return super.monotonicMs() + this.skippedMs;
  }
}

function miss(tenantId: string, model: string) {
  return { tenantId, provider: 'openai', model, meter: '', count: 1 };
}

it('a tenant that makes up models gets 200 rows an hour, and nothing of it is lost', () => {
  const clock = new SkippingClock();
  const misses = new RateMisses(clock);
  for (let n = 0; n < 5_000; n += 1) misses.add(miss('a', `made-up-${n}`));
  misses.add(miss('a', 'made-up-7'));
  misses.add(miss('b', 'gpt-next'));
  const taken = misses.take();
  expect(taken).toHaveLength(202);
  expect(taken).toContainEqual({ ...miss('a', '(other models)'), count: 4_800 });
  expect(taken).toContainEqual({ ...miss('a', 'made-up-7'), count: 2 });
  expect(taken).toContainEqual(miss('b', 'gpt-next'));

  misses.add(miss('a', 'one-more'));
  expect(misses.take()).toEqual([miss('a', '(other models)')]);
  clock.skippedMs = 3_600_001;
  misses.add(miss('a', 'one-more'));
  expect(misses.take()).toEqual([miss('a', 'one-more')]);
});
