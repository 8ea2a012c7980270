import { Column, Entity, PrimaryColumn } from 'typeorm';

/** A price; rows are only ever added, each with a version from `nextRateVersion`. */
@Entity({ schema: 'registry', name: 'rates' })
export class Rate {
  @PrimaryColumn({ type: 'uuid' })
  id: string;

  @Column({ type: 'text' })
  provider: string;

  @Column({ type: 'text' })
  model: string;

  @Column({ type: 'text' })
  meter: string;

  @Column({ type: 'text', default: 'standard' })
  tier: string;

  /** The row applies to calls whose whole prompt has at least this many tokens. */
  @Column({ name: 'context_from', type: 'integer', default: 0 })
  contextFrom: number;

  /** Exact decimal, USD for `per` units. */
  @Column({ name: 'unit_cost_usd', type: 'numeric' })
  unitCostUsd: string;

  @Column({ type: 'numeric' })
  per: string;

  @Column({ type: 'boolean', default: false })
  free: boolean;

  @Column({ name: 'effective_from', type: 'timestamptz' })
  effectiveFrom: Date;

  @Column({ type: 'integer' })
  version: number;

  @Column({ type: 'text', nullable: true })
  source: string | null;

  /** Identity of a row of the catalogue file; null for an operator's price. */
  @Column({ name: 'catalogue_key', type: 'text', nullable: true })
  catalogueKey: string | null;
}
