-- Whose process ships a spool: another spool's id, or null for its own writer.
alter table ledger.spools alter column owner type uuid using owner::uuid;
-- An operator has given up what expired under the spool; money is not touched by it.
alter table ledger.spools
  add column written_off_at timestamptz,
  add column written_off_note text,
  add check ((written_off_at is null) = (written_off_note is null));

-- "This spool's writer lives." A beat never makes an adopted spool its writer's again. Returns who owns it.
create function ledger.beat_spool(p_id uuid, p_host text) returns uuid language sql as $$
  insert into ledger.spools as s (id, host, beat_at) values (p_id, p_host, clock_timestamp())
    on conflict (id) do update set host = excluded.host, beat_at = clock_timestamp()
    returning owner
$$;

-- Nobody has beaten for 60 s: the row is renewed every 10 s, so it must be older than both.
create function ledger.is_silent(p_beat_at timestamptz) returns boolean language sql volatile as $$
  select p_beat_at < clock_timestamp() - interval '70 seconds'
$$;

-- Compare-and-set on the owner. Returns who owns the spool afterwards. With p_by_silence an unknown spool is watched from
-- now on, and nobody is taken over from who still beats.
create function ledger.adopt_spool(p_id uuid, p_host text, p_adopter uuid, p_expected uuid, p_by_silence boolean)
  returns uuid language plpgsql as $$
declare
  v_spool ledger.spools;
  v_expected_beat timestamptz;
begin
  insert into ledger.spools (id, host, owner, beat_at)
    values (p_id, p_host, case when not p_by_silence and p_expected is null then p_adopter end, clock_timestamp())
    on conflict (id) do nothing;
  select * into v_spool from ledger.spools where id = p_id for update;
  if v_spool.owner is distinct from p_expected then return v_spool.owner; end if;
  if p_by_silence then
    select beat_at into v_expected_beat from ledger.spools where id = p_expected;
    if not ledger.is_silent(v_spool.beat_at) or not ledger.is_silent(coalesce(v_expected_beat, '-infinity')) then
      return v_spool.owner;
    end if;
  end if;
  update ledger.spools set owner = p_adopter where id = p_id;
  return p_adopter;
end $$;

-- A replayed record stays, with when it was; `reason` is that of its last failure.
alter table ledger.parked add column replayed_at timestamptz;
create index parked_open on ledger.parked (hold_id) where replayed_at is null;

create function ledger.note_replays(p_clock_ms bigint, p_id bigint[], p_reason text[]) returns void language sql as $$
  update ledger.parked p
    set reason = coalesce(r.reason, p.reason),
      replayed_at = case when r.reason is null then to_timestamp(p_clock_ms / 1000.0) end
    from unnest(p_id, p_reason) r(id, reason) where p.id = r.id and p.replayed_at is null
$$;
grant update (reason, replayed_at) on ledger.parked to vendo_ledger;
