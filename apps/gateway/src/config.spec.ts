import { describe, expect, it } from '@jest/globals';
import { gatewayConfig } from './config.js';

const ENV = {
  DATABASE_URL: 'postgres://localhost/x',
  LEDGER_URL: 'http://127.0.0.1:8090',
  VENDO_ADMIN_TOKEN: 'a'.repeat(16),
  VENDO_INTERNAL_TOKEN: 'b'.repeat(16),
  VENDO_ENCRYPTION_KEY: Buffer.alloc(32).toString('base64'),
};

describe('the configuration', () => {
  it('has a default for everything but addresses and secrets', () => {
    expect(gatewayConfig(ENV)).toMatchObject({
      GATEWAY_PORT: 8080,
      GATEWAY_HOST: '127.0.0.1',
      VENDO_DOMAIN: 'localhost',
      VENDO_MAX_JSON_BYTES: 33_554_432,
      VENDO_MAX_BODIES_BYTES: 536_870_912,
      VENDO_UPSTREAM_TIMEOUT_MS: 600_000,
      VENDO_PRICE_REFRESH_MS: 3_600_000,
      upstreams: {},
      pool: {},
    });
  });

  it('reads upstreams and pool keys by provider', () => {
    const env = { ...ENV, UPSTREAM_OPENAI_URL: 'http://127.0.0.1:9999/', POOL_ANTHROPIC_API_KEY: 'k' };
    expect(gatewayConfig(env)).toMatchObject({
      upstreams: { openai: 'http://127.0.0.1:9999' },
      pool: { anthropic: 'k' },
    });
  });

  it.each([
    ['http://127.0.0.1:8090/', ['http://127.0.0.1:8090']],
    ['http://a:1, https://b', ['http://a:1', 'https://b']],
  ])('reads LEDGER_URL %j as the origins of one ledger or more', (LEDGER_URL, origins) =>
    expect(gatewayConfig({ ...ENV, LEDGER_URL }).LEDGER_URL).toEqual(origins),
  );

  it.each([
    ['DATABASE_URL', undefined],
    ['DATABASE_URL', 'mysql://x'],
    ['LEDGER_URL', 'ledger'],
    ['LEDGER_URL', 'http://a:1,'],
    ['LEDGER_URL', 'http://a:1,ftp://b'],
    ['GATEWAY_PORT', '70000'],
    ['VENDO_ENCRYPTION_KEY', 'c2hvcnQ='],
    ['VENDO_ADMIN_TOKEN', 'short'],
    ['VENDO_SPOOL_SYNC', 'yes'],
    ['VENDO_SPOOL_MAX_BYTES', '0'],
    ['VENDO_MAX_BODIES_BYTES', '33554431'],
    ['VENDO_PRICE_REFRESH_MS', '59999'],
    ['VENDO_PRICE_REFRESH_MS', '-1'],
    ['UPSTREAM_OPENAI_URL', 'http://127.0.0.1/v1'],
    ['UPSTREAM_NOBODY_URL', 'http://127.0.0.1'],
    ['POOL_NOBODY_API_KEY', 'k'],
    ['POOL_TELEGRAM_API_KEY', '1:A'],
  ])('names %s in one line when it is %s', (name, value) => {
    expect(() => gatewayConfig({ ...ENV, [name]: value })).toThrow(new RegExp(`^[^\\n]*${name}[^\\n]*$`));
  });
});
