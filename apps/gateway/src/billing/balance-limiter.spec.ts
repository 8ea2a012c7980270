import { describe, expect, it } from '@jest/globals';
import { SystemClock } from '@vendo/runtime';
import { BalanceLimiter } from './balance-limiter.js';

class StandingClock extends SystemClock {
  ms = 0;
  override monotonicMs(): number {
    return this.ms;
  }
}

describe('the limit on balance requests', () => {
  it('counts anew with each minute, and says when that is', () => {
    const clock = new StandingClock();
    const limiter = new BalanceLimiter({ publicUrl: '', domain: '', balanceRatePerMin: 2 }, clock);
    limiter.admit('a');
    limiter.admit('a');
    clock.ms = 59_001;
    const refused = expect.objectContaining({ code: 'rate_limited', details: { retry_after: 1 } });
    expect(() => limiter.admit('a')).toThrow(refused as never);
    limiter.admit('b');
    clock.ms = 60_000;
    limiter.admit('a');
  });
});
