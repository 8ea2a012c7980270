import { describe, expect, it } from '@jest/globals';
import { ledgerConfig } from './config.js';

const ENV = { DATABASE_URL: 'postgres://localhost/x', VENDO_INTERNAL_TOKEN: 'b'.repeat(16) };

describe('the configuration', () => {
  it('has a default for everything but addresses and secrets', () => {
    expect(ledgerConfig(ENV)).toEqual({
      ...ENV,
      LEDGER_PORT: 8090,
      LEDGER_HOST: '127.0.0.1',
      VENDO_SPOOL_SILENCE_MS: 60_000,
      VENDO_LOG_LEVEL: 'info',
    });
  });

  it.each([
    ['15000', 15_000],
    ['60000', 60_000],
    ['', 60_000],
  ])('takes VENDO_SPOOL_SILENCE_MS %j as %i ms', (VENDO_SPOOL_SILENCE_MS, ms) =>
    expect(ledgerConfig({ ...ENV, VENDO_SPOOL_SILENCE_MS }).VENDO_SPOOL_SILENCE_MS).toBe(ms),
  );

  it('reads where Kafka is and by which URL gateways reach it', () => {
    const env = { ...ENV, KAFKA_BROKERS: 'a:9092,b:9092', LEDGER_ADVERTISED_URL: 'http://ledger-1:8090' };
    expect(ledgerConfig(env)).toMatchObject({
      KAFKA_BROKERS: ['a:9092', 'b:9092'],
      LEDGER_ADVERTISED_URL: 'http://ledger-1:8090',
    });
  });

  it.each([
    ['DATABASE_URL', undefined],
    ['DATABASE_URL', 'mysql://x'],
    ['VENDO_INTERNAL_TOKEN', undefined],
    ['VENDO_INTERNAL_TOKEN', 'short'],
    ['VENDO_SPOOL_SILENCE_MS', '14999'],
    ['VENDO_SPOOL_SILENCE_MS', '60001'],
    ['VENDO_SPOOL_SILENCE_MS', '20000.5'],
    ['VENDO_SPOOL_SILENCE_MS', '60s'],
    ['LEDGER_PORT', '70000'],
    ['LEDGER_ADVERTISED_URL', 'ledger-1:8090'],
    ['KAFKA_BROKERS', 'a:9092,b'],
    ['VENDO_LOG_LEVEL', 'loud'],
  ])('names %s in one line when it is %s', (name, value) => {
    expect(() => ledgerConfig({ ...ENV, [name]: value })).toThrow(new RegExp(`^[^\\n]*${name}[^\\n]*$`));
  });
});
