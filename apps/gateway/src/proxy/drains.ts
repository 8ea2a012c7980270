/** An answer that is read to its end without its client. */
export interface Drain {
  tenantId: string;
  /** Ends it now: what was measured is settled. */
  cut(): void;
}

export interface DrainLimits {
  /** At the same time: in all, and of one tenant. */
  total: number;
  perTenant: number;
}

/**
 * All answers that are read on without a client. Each costs a connection to the provider that nobody waits for, so
 * where there are too many, the oldest is cut: of the tenant's for the tenant's limit, of all for the other.
 */
export class Drains {
  /** In the order in which they began. */
  private readonly drains = new Set<Drain>();

  constructor(
    private readonly limits: DrainLimits,
    private readonly changed: (draining: number) => void,
  ) {}

  /** May cut an older one, or this one where a limit is 0. */
  begin(drain: Drain): void {
    this.drains.add(drain);
    const ofTenant = [...this.drains].filter(({ tenantId }) => tenantId === drain.tenantId);
    const { total, perTenant } = this.limits;
    if (ofTenant.length > perTenant) this.cut(ofTenant[0]);
    else if (this.drains.size > total) this.cut([...this.drains][0]);
    this.changed(this.drains.size);
  }

  /** Does nothing for one that has ended or never began. */
  end(drain: Drain): void {
    if (this.drains.delete(drain)) this.changed(this.drains.size);
  }

  private cut(oldest: Drain | undefined): void {
    if (!oldest) return;
    this.drains.delete(oldest);
    oldest.cut();
  }
}
