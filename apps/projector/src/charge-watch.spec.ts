import { randomUUID } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { encodeEvent, GATEWAY_TOPIC, LEDGER_TOPIC, POSITION_HEADER, SEQ_HEADER } from '@vendo/events';
import { type Logger, Metrics, SystemClock } from '@vendo/runtime';
import { ChargeWatch } from './charge-watch.js';
import { gatewayRecord, ProjectionStand } from './projection.contract.js';
import { usage } from './projections/usage/usage.projection.js';
import { wallet } from './projections/wallet/wallet.projection.js';

const TENANT = randomUUID();
const AT = '2026-11-21T10:00:00.000Z';

function ended(hold_id: string, position: number, how: 'settled' | 'late' | 'released', cost: number) {
  const data = {
    hold_id,
    how,
    subject: TENANT,
    amount_micros: 10,
    cost_micros: cost,
    windows: { daily: '2026-11-21', monthly: '2026-11' },
    reason: null,
    after: { balance_micros: 0, held_micros: 0, windows: [] },
  };
  const place = { [POSITION_HEADER]: String(position), [SEQ_HEADER]: String(position) };
  return encodeEvent(
    { id: randomUUID(), type: 'HoldEnded.v1', tenantId: TENANT, at: AT, data },
    '/ledger',
    place,
  );
}

function measured(id: string) {
  const data = {
    id,
    tenant_id: TENANT,
    app_id: null,
    key_id: TENANT,
    connection_id: TENANT,
    provider: 'openai',
    route: 'chat.completions',
    model: 'gpt-4o',
    upstream_request_id: null,
    status: 200,
    outcome: 'completed',
    evidence: 'exact',
    lines: [],
    provider_cost_micros: 0,
    cost_micros: 0,
    rate_version: 1,
    hold_micros: 10,
    reserved_at: AT,
    started_at: AT,
    ended_at: AT,
    ttfb_ms: null,
    stream: false,
    provider_units: null,
  } as const;
  return gatewayRecord(TENANT, { type: 'UsageMeasured.v2', data: { ...data, lines: [] } });
}

describe('the watch over charges', () => {
  let stand: ProjectionStand;
  let metrics: Metrics;
  let watch: ChargeWatch;
  let alerts: unknown[];

  beforeEach(async () => {
    stand = await ProjectionStand.open([usage, wallet]);
    metrics = new Metrics('spec');
    alerts = [];
    const logger = { error: (fields: unknown) => alerts.push(fields) } as unknown as Logger;
    watch = new ChargeWatch({ pool: stand.pool, clock: new SystemClock(), logger, metrics });
  });
  afterEach(() => stand.close());

  const aMinutePasses = () =>
    stand.pool.query("update read.charges_without_usage set noticed_at = noticed_at - interval '60 seconds'");
  const gauge = async () => /^vendo_charges_without_usage(?:\{.*\})? (\d+)$/m.exec(await metrics.text())?.[1];

  it('raises one alert for a charge that has had no usage event for a minute, and ends it when the event comes', async () => {
    const [settled, late] = [randomUUID(), randomUUID()] as const;
    await stand.append(LEDGER_TOPIC, [ended(settled, 1, 'settled', 7), ended(late, 2, 'late', 3)]);
    await stand.project();
    await watch.check();
    expect([alerts, await gauge()]).toEqual([[], '0']);

    await aMinutePasses();
    await watch.check();
    await watch.check();
    expect(alerts).toHaveLength(2);
    expect(alerts).toContainEqual({
      alert: 'charge_without_usage',
      call: settled,
      tenant: TENANT,
      charged_at: AT,
    });
    expect(await gauge()).toBe('2');

    await stand.append(GATEWAY_TOPIC, [measured(settled), measured(late)]);
    await stand.project();
    await watch.check();
    expect([alerts.length, await gauge()]).toEqual([2, '0']);
  });

  it('says nothing of charges with their usage event, whichever came first, nor of releases', async () => {
    const [before, after, released] = [randomUUID(), randomUUID(), randomUUID()] as const;
    await stand.append(GATEWAY_TOPIC, [measured(before)]);
    await stand.project();
    const ends = [ended(before, 1, 'settled', 7), ended(after, 2, 'settled', 7)];
    await stand.append(LEDGER_TOPIC, [...ends, ended(released, 3, 'released', 0)]);
    await stand.project();
    expect(await stand.rows('select hold_id from read.charges_without_usage')).toEqual([{ hold_id: after }]);
    await stand.append(GATEWAY_TOPIC, [measured(after)]);
    await stand.project();
    await aMinutePasses();
    await watch.check();
    expect([alerts, await gauge()]).toEqual([[], '0']);
  });
});
