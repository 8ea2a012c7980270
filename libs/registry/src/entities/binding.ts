import { Column, Entity, PrimaryColumn } from 'typeorm';

/** Lets an app use a connection of its tenant; of several for one provider the oldest decides. */
@Entity({ schema: 'registry', name: 'bindings' })
export class Binding {
  @PrimaryColumn({ type: 'uuid' })
  id: string;

  @Column({ name: 'tenant_id', type: 'uuid' })
  tenantId: string;

  @Column({ name: 'app_id', type: 'uuid' })
  appId: string;

  @Column({ name: 'provider_slug', type: 'text' })
  providerSlug: string;

  @Column({ name: 'connection_id', type: 'uuid' })
  connectionId: string;

  /** Grows with each binding; a bigint in text. */
  @Column({ name: 'created_order', type: 'bigint', insert: false, update: false })
  createdOrder: string;

  @Column({ name: 'deleted_at', type: 'timestamptz', nullable: true })
  deletedAt: Date | null;
}
