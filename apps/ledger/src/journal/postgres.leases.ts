import type pg from 'pg';
import { type Lease, Leases, type Member, type Surroundings, type Taking } from './leases.js';

/** As long as a lease: a member that has not been seen for longer cannot have renewed one either. */
const LIVING = `interval '3 seconds'`;
const ORPHANED = `interval '2 seconds'`;
const FREE = '(s.owner is null or s.lease_until < clock_timestamp())';

/** The leases in `ledger.shards` and the members beside them. Each statement is a transaction of its own. */
export class PostgresLeases extends Leases {
  /** @param pool its sessions run as role vendo_ledger, and its queries have a limit of their own. */
  constructor(private readonly pool: pg.Pool) {
    super();
  }

  async look(self: Member, fit: boolean): Promise<Surroundings> {
    if (fit) await this.tell(self);
    const members = await this.pool.query<{ id: string }>(
      `select id from ledger.members where seen_at > clock_timestamp() - ${LIVING} order by id`,
    );
    const { rows } = await this.pool.query<Omit<Lease, 'ownerUrl'> & { url: string | null }>(
      `select s.shard, s.owner, m.url, ${FREE} as free,
         ${FREE} and s.lease_until < clock_timestamp() - ${ORPHANED} as orphaned
       from ledger.shards s left join ledger.members m on m.id = s.owner order by s.shard`,
    );
    return {
      living: members.rows.map(({ id }) => id),
      leases: rows.map(({ url, ...lease }) => ({ ...lease, ownerUrl: url })),
    };
  }

  /**
   * Once a second is enough, and the looks in between write nothing: `on conflict` alone would lock the row and so flush
   * the log each time. Who has been gone for a minute is forgotten.
   */
  private async tell({ id, url }: Member): Promise<void> {
    await this.pool.query(
      `with gone as (
         delete from ledger.members where id in (
           select id from ledger.members where seen_at < clock_timestamp() - interval '1 minute'
           for update skip locked)
       )
       insert into ledger.members (id, url, seen_at) select $1::text, $2::text, clock_timestamp()
         where not exists (
           select from ledger.members m where m.id = $1 and m.url is not distinct from $2
             and m.seen_at >= clock_timestamp() - interval '900 milliseconds')
       on conflict (id) do update set url = excluded.url, seen_at = excluded.seen_at`,
      [id, url],
    );
  }

  async take({ id }: Member, shards: readonly number[]): Promise<Taking[]> {
    const { rows } = await this.pool.query<{ shard: number; epoch: string; how: Taking['how'] }>(
      `with free as (
         select s.shard, case when s.owner is null then 'free' when s.owner = $1 then 'again' else 'expired' end as how
         from ledger.shards s where s.shard = any($2) and (${FREE} or s.owner = $1)
         order by s.shard for update skip locked
       )
       update ledger.shards s set epoch = s.epoch + 1, owner = $1, lease_until = ledger.lease_end()
       from free where s.shard = free.shard returning s.shard, s.epoch, free.how`,
      [id, shards],
    );
    return rows.map(({ epoch, ...row }) => ({ ...row, epoch: BigInt(epoch) }));
  }

  async giveBack({ id }: Member, shards: readonly number[]): Promise<void> {
    await this.pool.query(
      `update ledger.shards set owner = null, epoch = epoch + 1, lease_until = clock_timestamp()
       where owner = $1 and shard = any($2)`,
      [id, shards],
    );
  }

  async leave({ id }: Member): Promise<void> {
    await this.pool.query('delete from ledger.members where id = $1', [id]);
  }
}
