import { Column, Entity, PrimaryColumn } from 'typeorm';

/**
 * A tenant's access to a provider: of its own (`byok_static`), the operator's (`vendo_managed_pool`), or an account of the
 * tenant's behind the operator's key (`composio_managed`).
 */
@Entity({ schema: 'registry', name: 'connections' })
export class Connection {
  @PrimaryColumn({ type: 'uuid' })
  id: string;

  @Column({ name: 'tenant_id', type: 'uuid' })
  tenantId: string;

  @Column({ type: 'text' })
  provider: string;

  @Column({ type: 'text' })
  profile: string;

  @Column({ type: 'text', default: 'active' })
  status: 'active' | 'needs_reauth' | 'error' | 'revoked';

  @Column({ name: 'display_name', type: 'text', nullable: true })
  displayName: string | null;

  /** As the gateway's CredentialVault sealed it; null for the managed pool. */
  @Column({ name: 'sealed_credential', type: 'bytea', nullable: true })
  sealedCredential: Buffer | null;

  @Column({ name: 'created_at', type: 'timestamptz', insert: false, update: false })
  createdAt: Date;
}
