import { randomUUID } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import {
  type EventData,
  type EventRecord,
  encodeEvent,
  GATEWAY_TOPIC,
  type UsageLine,
  type UsageMeasuredV1,
} from '@vendo/events';
import { ReadModels } from '@vendo/read-models';
import { brokenRecord, expectParked, gatewayRecord, ProjectionStand } from '../../projection.contract.js';
import { usage } from './usage.projection.js';

const TENANTS = [randomUUID(), randomUUID(), randomUUID()] as const;
const APPS = [randomUUID(), null] as const;
const KEY = randomUUID();
const CONNECTIONS = [randomUUID(), randomUUID()] as const;

function line(meter: UsageLine['meter'], quantity: string, cost_micros: number, model?: string): UsageLine {
  return {
    meter,
    ...(model ? { model } : {}),
    quantity,
    unit_cost_usd: '2.5',
    per: '1000000',
    margin_pct: '20',
    cost_micros_exact: `${cost_micros}/1`,
    cost_micros,
  };
}

function measured(tenant_id: string, given: Partial<UsageMeasuredV1> = {}): UsageMeasuredV1 {
  const lines = given.lines ?? [line('input_tokens', '11', 33), line('output_tokens', '7', 70)];
  return {
    id: randomUUID(),
    tenant_id,
    app_id: APPS[0],
    key_id: KEY,
    connection_id: CONNECTIONS[0],
    provider: 'openai',
    route: 'chat.completions',
    model: 'gpt-4o',
    upstream_request_id: 'req_1',
    status: 200,
    outcome: 'completed',
    evidence: 'exact',
    lines,
    provider_cost_micros: 90,
    cost_micros: lines.reduce((sum, { cost_micros }) => sum + cost_micros, 0),
    rate_version: 3,
    hold_micros: 1_000,
    reserved_at: '2026-11-21T10:59:59.999Z',
    started_at: '2026-11-21T11:00:00.001Z',
    ended_at: '2026-11-21T11:00:01.250Z',
    ttfb_ms: 12.5,
    stream: true,
    ...given,
  };
}

const record = (event: UsageMeasuredV1, tenantId = event.tenant_id) =>
  gatewayRecord(tenantId, { type: 'UsageMeasured.v2', data: { ...event, provider_units: '7' } });

/** Gives a whole event back. */
function correction(event: UsageMeasuredV1, n = 1): EventData<'UsageCorrected.v1'> {
  const { id, tenant_id, app_id, key_id, connection_id, provider, route, model } = event;
  const { rate_version, hold_micros, reserved_at } = event;
  return {
    hold_id: id,
    n,
    reason: 'refunded',
    subject: KEY,
    ...{ tenant_id, app_id, key_id, connection_id, provider, route, model: model ?? 'none' },
    ...{ rate_version, hold_micros, reserved_at },
    lines: event.lines.map((line) => ({
      ...line,
      quantity: `-${line.quantity}`,
      cost_micros: -line.cost_micros,
      cost_micros_exact: `-${line.cost_micros_exact}`,
    })),
    provider_cost_micros: -event.provider_cost_micros,
    cost_micros: -event.cost_micros,
  };
}

function corrected(data: EventData<'UsageCorrected.v1'>): EventRecord {
  const { tenant_id: tenantId, reserved_at: at } = data;
  return encodeEvent({ id: randomUUID(), type: 'UsageCorrected.v1', tenantId, at, data }, '/gateway');
}

/** Many events, different in everything a roll-up groups by; deterministic. */
function manyEvents(count: number): UsageMeasuredV1[] {
  return Array.from({ length: count }, (_, n) => {
    const at = new Date(Date.UTC(2026, 10, 21, n % 5, n % 60, n % 60, n % 1000)).toISOString();
    const lines = [
      line('input_tokens', String(n), n * 3),
      line('audio_seconds', `${n}.${(n * 7) % 10}25`, n * 11),
      line('output_tokens', String(n % 13), n, n % 3 === 0 ? 'other-model' : undefined),
    ].slice(0, n % 4);
    return measured(TENANTS[n % 3] ?? '', {
      lines,
      app_id: APPS[n % 2] ?? null,
      connection_id: CONNECTIONS[n % 2] ?? '',
      provider: n % 2 ? 'openai' : 'anthropic',
      model: n % 7 === 0 ? null : `model-${n % 3}`,
      reserved_at: at,
    });
  });
}

/** The roll-ups as a plain fold over distinct events; thousandths instead of decimals. */
function folded(events: readonly UsageMeasuredV1[]) {
  const calls = new Map<string, number>();
  const meters = new Map<string, { thousandths: bigint; cost: bigint }>();
  for (const event of new Map(events.map((event) => [event.id, event])).values()) {
    const hour = `${event.reserved_at.slice(0, 13)}:00:00.000Z`;
    const group = [hour, event.tenant_id, event.app_id, event.connection_id, event.provider];
    const called = JSON.stringify([...group, event.model]);
    calls.set(called, (calls.get(called) ?? 0) + 1);
    for (const { meter, model, quantity, cost_micros } of event.lines) {
      const key = JSON.stringify([...group, model ?? event.model, meter]);
      const before = meters.get(key) ?? { thousandths: 0n, cost: 0n };
      const [whole = '0', fraction = ''] = quantity.split('.');
      meters.set(key, {
        thousandths: before.thousandths + BigInt(whole + fraction.padEnd(3, '0')),
        cost: before.cost + BigInt(cost_micros),
      });
    }
  }
  return { calls: new Map([...calls].sort()), meters: new Map([...meters].sort()) };
}

async function stored(stand: ProjectionStand) {
  const key = 'hour, tenant_id, app_id, connection_id, provider, model';
  const calls = await stand.rows(`select ${key}, calls from read.usage_calls_hourly`);
  const meters = await stand.rows(`select ${key}, meter, quantity, cost_micros from read.usage_hourly`);
  return {
    calls: new Map(
      calls
        .map(({ calls: count, ...group }) => [JSON.stringify(Object.values(group)), Number(count)] as const)
        .sort(),
    ),
    meters: new Map(
      meters
        .map(({ quantity, cost_micros, ...group }) => {
          const [whole = '0', fraction = ''] = String(quantity).split('.');
          const sum = {
            thousandths: BigInt(whole + fraction.padEnd(3, '0')),
            cost: BigInt(String(cost_micros)),
          };
          return [JSON.stringify(Object.values(group)), sum] as const;
        })
        .sort(),
    ),
  };
}

describe('the usage projection', () => {
  let stand: ProjectionStand;
  beforeEach(async () => {
    stand = await ProjectionStand.open([usage]);
  });
  afterEach(() => stand.close());

  it('equals a fold of the topic, whatever gateways wrote twice', async () => {
    const events = manyEvents(1_300);
    const repeats = events.filter((_, n) => n % 5 === 0);
    await stand.append(
      GATEWAY_TOPIC,
      [...events, ...repeats].map((event) => record(event)),
    );
    await stand.append(
      GATEWAY_TOPIC,
      repeats.map((event) => record(event)),
    );
    await stand.project();
    expect(await stored(stand)).toEqual(folded(events));
    expect(await stand.rows('select count(*) from read.usage_events')).toEqual([{ count: '1300' }]);
  });

  it('keeps every field of the event but the units of the provider', async () => {
    const event = measured(TENANTS[0], { app_id: null, model: null, status: null, ttfb_ms: null });
    await stand.append(GATEWAY_TOPIC, [record(event)]);
    await stand.project();
    expect(await new ReadModels(stand.pool).usageEvents({}, 10)).toEqual([{ ...event, corrected_micros: 0 }]);
  });

  it('folds what was stored in an older version', async () => {
    const events = manyEvents(40);
    const older = events.map((event) => {
      const { headers, ...rest } = record(event);
      const value = Buffer.from(JSON.stringify(event));
      return { ...rest, headers: { ...headers, ce_type: 'UsageMeasured.v1' }, value };
    });
    await stand.append(GATEWAY_TOPIC, older);
    await stand.project();
    expect(await stored(stand)).toEqual(folded(events));
  });

  it('counts nothing twice when a crash falls between two batches', async () => {
    const events = manyEvents(700);
    for (const batch of [events.slice(0, 100), events.slice(100, 350), events.slice(350)]) {
      await stand.append(
        GATEWAY_TOPIC,
        batch.map((event) => record(event)),
      );
      // Stopped somewhere on the way, then begun anew from the checkpoints.
      await stand.project(async () => true);
    }
    await stand.project();
    expect(await stored(stand)).toEqual(folded(events));
  });

  it('counts nothing twice when two projectors run at once', async () => {
    const events = manyEvents(900);
    await stand.append(
      GATEWAY_TOPIC,
      events.map((event) => record(event)),
    );
    await Promise.all([stand.project(), stand.project(), stand.project()]);
    expect(await stored(stand)).toEqual(folded(events));
  });

  it('keeps the first report of a hold', async () => {
    const first = measured(TENANTS[0]);
    const second = { ...first, lines: [line('input_tokens', '5', 5)], cost_micros: 5 };
    await stand.append(GATEWAY_TOPIC, [record(first), record(second)]);
    await stand.project();
    expect(await stored(stand)).toEqual(folded([first]));
  });

  it('adds each correction once to the hour of its hold, before the usage that it corrects as well as after', async () => {
    const [tenant] = TENANTS;
    const first = measured(tenant, { model: 'a' });
    const second = measured(tenant, { model: 'b' });
    await stand.append(GATEWAY_TOPIC, [
      corrected(correction(first)),
      record(first),
      record(second),
      corrected(correction(second)),
      corrected(correction(second)),
    ]);
    await stand.project();
    await stand.append(GATEWAY_TOPIC, [corrected(correction(second)), corrected(correction(second, 2))]);
    await stand.project();
    const { calls, meters } = await stored(stand);
    expect(calls).toEqual(folded([first, second]).calls);
    const costs = Array.from(meters, ([key, { cost }]) => [JSON.parse(key).slice(-2).join(' '), cost]);
    expect(Object.fromEntries(costs)).toEqual({
      'a input_tokens': 0n,
      'a output_tokens': 0n,
      'b input_tokens': -33n,
      'b output_tokens': -70n,
    });
    const shown = await new ReadModels(stand.pool).usageEvents({}, 10);
    expect(new Map(shown.map(({ id, corrected_micros }) => [id, corrected_micros]))).toEqual(
      new Map([
        [first.id, -103],
        [second.id, -206],
      ]),
    );
  });

  it('parks what it cannot fold, alone, and goes on', async () => {
    const [tenant] = TENANTS;
    const good = [measured(tenant), measured(tenant), measured(tenant)] as const;
    const unbalanced = measured(tenant, { cost_micros: 1 });
    const foreign = measured(TENANTS[1]);
    const notANumber = measured(tenant, { lines: [line('input_tokens', 'NaN', 1)] });
    const negative = measured(tenant, { lines: [line('input_tokens', '-1', 1)] });
    const noDecimal = measured(tenant, { lines: [line('input_tokens', 'eleven', 1)] });
    await stand.append(GATEWAY_TOPIC, [
      record(good[0]),
      brokenRecord(tenant, 'UsageMeasured.v2'),
      brokenRecord(tenant, 'UsageMeasured.v9'),
      record(unbalanced),
      record(good[1]),
      record(foreign, tenant),
      record(notANumber),
      record(noDecimal),
      record(negative),
      corrected({ ...correction(good[0]), cost_micros: -1 }),
      record(good[2]),
    ]);
    await stand.project();
    await expectParked(stand, [
      { tenant_id: tenant, reason: expect.stringContaining('the value is not JSON') },
      { tenant_id: tenant, reason: 'unknown event type "UsageMeasured.v9"' },
      { tenant_id: tenant, reason: 'lines sum to 103 micros, the event costs 1' },
      { tenant_id: tenant, reason: `the event of tenant ${tenant} names tenant ${TENANTS[1]}` },
      { tenant_id: tenant, reason: expect.stringContaining('refused by the database: 23514') },
      { tenant_id: tenant, reason: expect.stringContaining('refused by the database: 22P02') },
      { tenant_id: tenant, reason: 'less than nothing was measured' },
      { tenant_id: tenant, reason: 'lines sum to -103 micros, the event costs -1' },
    ]);
    expect(await stored(stand)).toEqual(folded(good));
  });

  it('passes over what gateways say to others', async () => {
    await stand.append(GATEWAY_TOPIC, [brokenRecord(TENANTS[0], 'HoldSettled.v1')]);
    await stand.project();
    await expectParked(stand, []);
  });
});
