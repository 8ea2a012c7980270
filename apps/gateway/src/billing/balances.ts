import { Inject, Injectable } from '@nestjs/common';
import { ReadModels, type WalletBalance } from '@vendo/read-models';
import { Clock } from '@vendo/runtime';

const MIN_SEQ_WAIT_MS = 1_000;
const MIN_SEQ_POLL_MS = 25;

/** Wallets as the read models have them, or will have them in a moment. */
@Injectable()
export class Balances {
  constructor(
    @Inject(ReadModels) private readonly readModels: ReadModels,
    @Inject(Clock) private readonly clock: Clock,
  ) {}

  /** The wallet once it has come to `seq`; what there is after a second. */
  async of(tenantId: string, seq = 0): Promise<WalletBalance> {
    const endMs = this.clock.monotonicMs() + MIN_SEQ_WAIT_MS;
    let wallet = await this.readModels.balanceOf(tenantId);
    while (wallet.seq < seq && this.clock.monotonicMs() < endMs) {
      await this.clock.sleep(MIN_SEQ_POLL_MS);
      wallet = await this.readModels.balanceOf(tenantId);
    }
    return wallet;
  }
}
