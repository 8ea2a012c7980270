import { Column, Entity, PrimaryColumn } from 'typeorm';

/** An app key or a connection key; its plain text is stored nowhere. */
@Entity({ schema: 'registry', name: 'keys' })
export class Key {
  @PrimaryColumn({ type: 'uuid' })
  id: string;

  @Column({ name: 'tenant_id', type: 'uuid' })
  tenantId: string;

  @Column({ type: 'text' })
  scope: 'app' | 'connection';

  @Column({ name: 'app_id', type: 'uuid', nullable: true })
  appId: string | null;

  @Column({ name: 'connection_id', type: 'uuid', nullable: true })
  connectionId: string | null;

  /** SHA-256 of the plain text. */
  @Column({ name: 'key_hash', type: 'bytea' })
  keyHash: Buffer;

  /** The first 13 characters, for display. */
  @Column({ type: 'text' })
  prefix: string;

  @Column({ name: 'display_name', type: 'text', nullable: true })
  displayName: string | null;

  @Column({ name: 'expires_at', type: 'timestamptz', nullable: true })
  expiresAt: Date | null;

  @Column({ name: 'revoked_at', type: 'timestamptz', nullable: true })
  revokedAt: Date | null;

  @Column({ name: 'created_at', type: 'timestamptz', insert: false, update: false })
  createdAt: Date;
}
