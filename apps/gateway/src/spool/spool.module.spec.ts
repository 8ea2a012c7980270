import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect, it } from '@jest/globals';
import { Module } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { EventLog } from '@vendo/event-log';
import { LedgerClient } from '@vendo/ledger-api';
import { RuntimeModule } from '@vendo/runtime';
import { eventNamed, FakeLedger, FakeLog } from './memory.spool-world.js';
import { Spool } from './spool.js';
import { SpoolModule } from './spool.module.js';

const log = new FakeLog();
const around = [
  { provide: EventLog, useValue: log },
  { provide: LedgerClient, useValue: new FakeLedger(log) },
];

@Module({ providers: around, exports: around })
class AroundModule {}

it('SpoolModule provides a spool that ships until the app is closed', async () => {
  const dataDir = mkdtempSync(path.join(tmpdir(), 'vendo-spool-'));
  const spoolModule = SpoolModule.from({ dataDir, host: 'spec', imports: [AroundModule] });
  const app = await Test.createTestingModule({
    imports: [RuntimeModule.forApp('spec', 'silent'), spoolModule],
  }).compile();
  await app.init();
  expect(app.get(Spool, { strict: false }).append([eventNamed('a')])).toBe(true);
  await app.close();
  expect(log.records).toHaveLength(1);
  expect(readdirSync(path.join(dataDir, 'spool'))).toEqual([]);
  rmSync(dataDir, { recursive: true });
});
