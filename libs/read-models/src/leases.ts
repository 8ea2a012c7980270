import type pg from 'pg';

/** A projector that has not said for this long that it lives is taken for dead, seconds by the database's clock. */
const ALIVE_SECONDS = 3;

/** The name under which a projector's connections are seen in the database: when none is left, it is dead at once. */
export function connectionName(projector: string): string {
  return `vendo-projector ${projector}`;
}

const ALIVE = `alive as (
  select id from read.projectors where alive_until > clock_timestamp() and exists (
    select from pg_stat_activity where datname = current_database() and application_name = '${connectionName('')}' || id))`;

/** What a turn came to. */
export interface Turn {
  /** The places that are this projector's for now. */
  held: Set<string>;
  /** Those of them that another one is to have: end the work, then `leave` them. */
  surplus: string[];
}

/**
 * Shares places among the projectors that live: the n-th place is for the n-th projector, modulo their number, so that
 * all compute the same without a word. A lease saves double work and says who takes over; what proves that nothing is
 * written twice is the checkpoint, moved by compare-and-set.
 */
export class Leases {
  /** @param pool its connections must be called `connectionName(owner)`. */
  constructor(
    private readonly pool: pg.Pool,
    readonly owner: string,
  ) {}

  /** Says that this projector lives, and takes what is free of its share. Call it well within 3 s of the last time. */
  async turn(places: readonly string[]): Promise<Turn> {
    await this.pool.query(
      `insert into read.projectors (id, alive_until) values ($1, clock_timestamp() + make_interval(secs => $2))
       on conflict (id) do update set alive_until = excluded.alive_until`,
      [this.owner, ALIVE_SECONDS],
    );
    const { rows } = await this.pool.query<{ place: string; mine: boolean; held: boolean; free: boolean }>(
      `with ${ALIVE}, me as (
         select nth, projectors from
           (select id, row_number() over (order by id) - 1 as nth, count(*) over () as projectors from alive) numbered
         where id = $1)
       select place, coalesce((at - 1) % projectors = nth, false) as mine, coalesce(owner = $1, false) as held,
         owner is null or owner not in (select id from alive) as free
       from unnest($2::text[]) with ordinality as wanted (place, at)
       left join read.leases using (place) left join me on true`,
      [this.owner, places],
    );
    const free = rows.filter(({ mine, held, free }) => mine && !held && free).map(({ place }) => place);
    const held = rows.filter(({ held }) => held).map(({ place }) => place);
    const taken = free.length > 0 ? await this.take(free) : [];
    return {
      held: new Set([...held, ...taken]),
      surplus: rows.filter(({ mine, held }) => held && !mine).map(({ place }) => place),
    };
  }

  async leave(places: readonly string[]): Promise<void> {
    await this.pool.query('delete from read.leases where owner = $1 and place = any($2)', [
      this.owner,
      places,
    ]);
  }

  /** Gives everything back; forgets the dead as well. */
  async end(): Promise<void> {
    await this.pool.query('delete from read.leases where owner = $1', [this.owner]);
    await this.pool.query(
      "delete from read.projectors where id = $1 or alive_until < clock_timestamp() - interval '1 minute'",
      [this.owner],
    );
  }

  private async take(places: readonly string[]): Promise<string[]> {
    const { rows } = await this.pool.query<{ place: string }>(
      `with ${ALIVE}
       insert into read.leases (place, owner) select place, $1 from unnest($2::text[]) as wanted (place) order by place
       on conflict (place) do update set owner = excluded.owner where leases.owner not in (select id from alive)
       returning place`,
      [this.owner, places],
    );
    return rows.map(({ place }) => place);
  }
}
