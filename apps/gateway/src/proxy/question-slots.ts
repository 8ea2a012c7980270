/** How many questions may be under way, and how many may wait for that. */
export interface SlotLimits {
  total: number;
  perTenant: number;
  waiting: number;
  waitingPerTenant: number;
}

interface Lane {
  busy: number;
  waiting: Set<() => void>;
}

/** Who may ask now. A tenant gets a part of the slots only, and those that wait come in turn by tenants. */
export class QuestionSlots {
  /** Of tenants that ask or wait, in the order in which they come next. */
  private readonly lanes = new Map<string, Lane>();
  private busy = 0;
  private waiting = 0;

  constructor(private readonly limits: SlotLimits) {}

  /** Resolves when there is a slot, which must be given back; to false where too many wait, or once the signal aborts. */
  take(tenantId: string, signal: AbortSignal): Promise<boolean> {
    if (signal.aborted) return Promise.resolve(false);
    const lane = this.lanes.get(tenantId) ?? { busy: 0, waiting: new Set() };
    this.lanes.set(tenantId, lane);
    if (this.hasSlotFor(lane)) {
      this.occupy(lane);
      return Promise.resolve(true);
    }
    const { waiting, waitingPerTenant } = this.limits;
    if (this.waiting >= waiting || lane.waiting.size >= waitingPerTenant) {
      this.forget(tenantId, lane);
      return Promise.resolve(false);
    }
    const { promise, resolve } = Promise.withResolvers<boolean>();
    const leave = (): void => {
      lane.waiting.delete(begin);
      this.waiting -= 1;
      this.forget(tenantId, lane);
      resolve(false);
    };
    const begin = (): void => {
      signal.removeEventListener('abort', leave);
      resolve(true);
    };
    lane.waiting.add(begin);
    this.waiting += 1;
    signal.addEventListener('abort', leave, { once: true });
    return promise;
  }

  /** Once for each slot that was taken. */
  giveBack(tenantId: string): void {
    const lane = this.lanes.get(tenantId);
    if (!lane) return;
    lane.busy -= 1;
    this.busy -= 1;
    this.forget(tenantId, lane);
    this.beginNext();
  }

  private beginNext(): void {
    for (const [tenantId, lane] of this.lanes) {
      const [begin] = lane.waiting;
      if (begin === undefined || !this.hasSlotFor(lane)) continue;
      lane.waiting.delete(begin);
      this.waiting -= 1;
      this.occupy(lane);
      this.lanes.delete(tenantId);
      this.lanes.set(tenantId, lane);
      begin();
      return;
    }
  }

  private hasSlotFor({ busy }: Lane): boolean {
    return this.busy < this.limits.total && busy < this.limits.perTenant;
  }

  private occupy(lane: Lane): void {
    lane.busy += 1;
    this.busy += 1;
  }

  private forget(tenantId: string, { busy, waiting }: Lane): void {
    if (busy === 0 && waiting.size === 0) this.lanes.delete(tenantId);
  }
}
