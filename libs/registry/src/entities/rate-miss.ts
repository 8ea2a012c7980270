import { Column, Entity, PrimaryColumn } from 'typeorm';

/** How often in an hour a tenant asked for something without a price; written by the gateways. */
@Entity({ schema: 'registry', name: 'rate_misses' })
export class RateMiss {
  /** Start of the hour, UTC. */
  @PrimaryColumn({ type: 'timestamptz' })
  hour: Date;

  @PrimaryColumn({ name: 'tenant_id', type: 'uuid' })
  tenantId: string;

  @PrimaryColumn({ type: 'text' })
  provider: string;

  @PrimaryColumn({ type: 'text' })
  model: string;

  /** Empty when the whole model has no price. */
  @PrimaryColumn({ type: 'text', default: '' })
  meter: string;

  /** A bigint in text. */
  @Column({ type: 'bigint' })
  count: string;
}
