import { Column, Entity, PrimaryColumn } from 'typeorm';

/** A margin rule; null matches anything. Rows are only ever added, each with a version from `nextRateVersion`. */
@Entity({ schema: 'registry', name: 'margins' })
export class Margin {
  @PrimaryColumn({ type: 'uuid' })
  id: string;

  @Column({ name: 'tenant_id', type: 'uuid', nullable: true })
  tenantId: string | null;

  @Column({ type: 'text', nullable: true })
  integration: string | null;

  @Column({ type: 'text', nullable: true })
  meter: string | null;

  /** Exact decimal, per cent. */
  @Column({ name: 'margin_pct', type: 'numeric' })
  marginPct: string;

  @Column({ name: 'effective_from', type: 'timestamptz' })
  effectiveFrom: Date;

  @Column({ type: 'integer' })
  version: number;
}
