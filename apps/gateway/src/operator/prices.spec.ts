import { randomUUID } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import { operatorStand, refused } from './operator-stand.contract.js';

const { call, newTenant, rows } = operatorStand();

describe('rates and margins', () => {
  const version = async () => Number((await rows('select version from registry.rate_version'))[0]?.version);
  const later = new Date(Date.now() + 60_000).toISOString();
  const earlier = new Date(Date.now() - 60_000).toISOString();

  it('adds a margin rule under a new version', async () => {
    const tenant = await newTenant();
    const before = await version();
    expect(
      await call('PUT', '/margins', { tenant_id: tenant, margin_pct: '12.50', effective_from: later }),
    ).toEqual({
      status: 200,
      body: {
        margin: {
          tenant_id: tenant,
          integration: null,
          meter: null,
          margin_pct: '12.5',
          effective_from: later,
        },
      },
    });
    expect(await version()).toBe(before + 1);
  });

  it.each([
    [{ margin_pct: 20 }, expect.stringMatching(/^margin_pct: /)],
    [{ margin_pct: '-1' }, 'margin_pct: must be a decimal string from 0 to 1000'],
    [{ margin_pct: 'many' }, 'margin_pct: must be a decimal string'],
    [{ margin_pct: '1', meter: 'kisses' }, expect.stringMatching(/^meter: /)],
    [{ margin_pct: '1', integration: 'nobody' }, 'integration: must be one of openai, anthropic, composio'],
    [{ margin_pct: '1', integration: 'openai', meter: 'requests' }, expect.stringMatching(/^meter: cannot/)],
    [{ margin_pct: '1', effective_from: earlier }, expect.stringMatching(/^effective_from: is in the past/)],
    [{ margin_pct: '1', effective_from: 'soon' }, expect.stringMatching(/^effective_from: /)],
  ])('refuses the margin %j and keeps the version', async (margin, message) => {
    const before = await version();
    expect(await call('PUT', '/margins', margin)).toEqual(refused(400, 'invalid_request', message));
    expect(await version()).toBe(before);
  });

  const rate = { provider: 'openai', model: 'm', meter: 'input_tokens', unit_cost_usd: '2.5e-06', per: '1' };

  it('adds rates exactly as they were written, all under one new version', async () => {
    const before = await version();
    const model = `model-${randomUUID()}`;
    const rates = [
      { ...rate, model },
      { ...rate, model, meter: 'output_tokens', unit_cost_usd: '10', per: 1_000_000, effective_from: later },
      { ...rate, model, meter: 'web_searches', unit_cost_usd: '0', free: true },
    ];
    expect(await call('POST', '/rates', { rates })).toEqual({ status: 201, body: { imported: 3 } });
    expect(await version()).toBe(before + 1);
    const stored = await rows(
      'select meter, tier, unit_cost_usd::text, per::text, free, version::int, effective_from from registry.rates where model = $1 order by meter',
      [model],
    );
    expect(stored).toEqual([
      {
        meter: 'input_tokens',
        tier: 'standard',
        unit_cost_usd: '0.0000025',
        per: '1',
        free: false,
        version: before + 1,
        effective_from: expect.any(Date),
      },
      {
        meter: 'output_tokens',
        tier: 'standard',
        unit_cost_usd: '10',
        per: '1000000',
        free: false,
        version: before + 1,
        effective_from: new Date(later),
      },
      expect.objectContaining({ meter: 'web_searches', unit_cost_usd: '0', free: true }),
    ]);
  });

  it.each([
    [{ rates: [] }, expect.stringMatching(/^rates: /)],
    [{ rates: [{ ...rate, unit_cost_usd: 2.5 }] }, expect.stringMatching(/^rates\.0\.unit_cost_usd: /)],
    [{ rates: [{ ...rate, unit_cost_usd: '-1' }] }, 'rates.0.unit_cost_usd: must not be negative'],
    [{ rates: [{ ...rate, unit_cost_usd: '0' }] }, expect.stringMatching(/^rates\.0\.free: /)],
    [{ rates: [{ ...rate, free: true }] }, expect.stringMatching(/^rates\.0\.free: /)],
    [{ rates: [{ ...rate, per: '0' }] }, 'rates.0.per: must be positive'],
    [
      { rates: [rate, { ...rate, provider: 'nobody' }] },
      'rates.1.provider: must be one of openai, anthropic, composio',
    ],
    [
      { rates: [rate, { ...rate, effective_from: earlier }] },
      expect.stringMatching(/^rates\.1\.effective_from: is in/),
    ],
    [{ rates: [{ ...rate, meter: 'kisses' }] }, expect.stringMatching(/^rates\.0\.meter: /)],
  ])('refuses %j whole', async (body, message) => {
    const [before] = await rows('select count(*), max(version) from registry.rates');
    expect(await call('POST', '/rates', body)).toEqual(refused(400, 'invalid_request', message));
    expect(await rows('select count(*), max(version) from registry.rates')).toEqual([before]);
  });
});
