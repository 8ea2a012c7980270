import { Column, Entity, PrimaryColumn } from 'typeorm';

/** What was changed by whom. Holds no key, hash or credential. */
@Entity({ schema: 'registry', name: 'audit' })
export class Audit {
  @PrimaryColumn({ type: 'uuid' })
  id: string;

  @Column({ type: 'timestamptz', insert: false, update: false })
  at: Date;

  @Column({ type: 'text' })
  who: string;

  @Column({ type: 'text' })
  action: string;

  /** The id of what changed. */
  @Column({ type: 'text' })
  subject: string;

  @Column({ type: 'jsonb', nullable: true })
  before: object | null;

  @Column({ type: 'jsonb', nullable: true })
  after: object | null;
}
