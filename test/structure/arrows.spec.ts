import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';

const ROOT = path.join(import.meta.dirname, '..', '..');
const run = promisify(execFile);

interface Violation {
  rule: { name: string; severity: string };
  from: string;
  to: string;
}

/** What dependency-cruiser says of the folders in `cwd`, under our rules. */
async function violations(cwd: string, folders: string[]): Promise<Violation[]> {
  const cruise = path.join(ROOT, 'node_modules', 'dependency-cruiser', 'bin', 'dependency-cruise.mjs');
  const args = [cruise, '--config', '.dependency-cruiser.cjs', '--output-type', 'json', ...folders];
  const { stdout } = await run(process.execPath, args, { cwd, maxBuffer: 256 * 1024 * 1024 }).catch(
    (failed: { stdout: string; stderr: string }) => {
      if (failed.stdout.startsWith('{')) return failed;
      throw new Error(failed.stderr);
    },
  );
  return (JSON.parse(stdout) as { summary: { violations: Violation[] } }).summary.violations;
}

/** Each file breaks the rule beside it, and nothing else is planted. */
const PLANTED: [rule: string, file: string, source: string][] = [
  ['apps-never-import-apps', 'apps/gateway/src/peek.ts', `import '../../ledger/src/innocent.js';`],
  ['libs-never-import-apps', 'libs/pricing/src/peek.ts', `import '../../../apps/ledger/src/innocent.js';`],
  ['wallet-is-pure', 'apps/ledger/src/wallet/nest.ts', `import '@nestjs/common';`],
  ['wallet-is-pure', 'apps/ledger/src/wallet/disk.ts', `import 'node:fs';`],
  ['wallet-is-pure', 'apps/ledger/src/wallet/sql.ts', `import 'pg';`],
  ['adapters-are-named-in-modules-only', 'apps/gateway/src/walk.ts', `import './postgres.callers.js';`],
  ['money-imports-nothing', 'libs/money/src/peek.ts', `import '../../errors/src/innocent.js';`],
  ['events-and-errors-know-money-only', 'libs/events/src/peek.ts', `import '../../runtime/src/innocent.js';`],
  [
    'middle-libs-know-the-lower-ones-only',
    'libs/registry/src/peek.ts',
    `import '../../pricing/src/innocent.js';`,
  ],
  ['kafkajs-stays-in-its-adapter', 'apps/projector/src/kafka.ts', `import 'kafkajs';`],
  ['testing-is-for-tests', 'apps/projector/src/fakes.ts', `import '../../../libs/testing/src/innocent.js';`],
  ['sandbox-knows-no-room', 'apps/sandbox/src/peek.ts', `import '../../../libs/pricing/src/innocent.js';`],
  [
    'conformance-knows-neither-pricing-nor-money',
    'test/conformance/peek.ts',
    `import '../../libs/money/src/innocent.js';`,
  ],
  ['no-cycle', 'libs/runtime/src/chicken.ts', `import './egg.js';`],
  ['specs-are-leaves', 'libs/runtime/src/reuse.ts', `import './innocent.spec.js';`],
  ['no-unresolvable', 'libs/runtime/src/lost.ts', `import './nowhere.js';`],
  ['no-dev-dependency-in-the-product', 'apps/ledger/src/check.ts', `import 'fast-check';`],
];

/** What the planted files import; itself without fault. */
const INNOCENT = [
  'apps/ledger/src/innocent.ts',
  'apps/gateway/src/postgres.callers.ts',
  'libs/errors/src/innocent.ts',
  'libs/money/src/innocent.ts',
  'libs/pricing/src/innocent.ts',
  'libs/runtime/src/innocent.ts',
  'libs/runtime/src/innocent.spec.ts',
  'libs/testing/src/innocent.ts',
];
/** An adapter in a module file is what the rules allow: the module must not be reported. */
const ALLOWED = 'apps/gateway/src/callers.module.ts';

describe('the arrows between the rooms', () => {
  it('run one way in the whole tree', async () => {
    const found = await violations(ROOT, ['apps', 'libs', 'tools', 'test', 'bench']);
    expect(found.map(({ rule, from, to }) => `${rule.name}: ${from} -> ${to}`)).toEqual([]);
  }, 120_000);

  describe('when they are broken on purpose', () => {
    let folder: string;
    let found: Violation[];

    beforeAll(async () => {
      folder = await mkdtemp(path.join(os.tmpdir(), 'vendo-arrows-'));
      for (const file of ['.dependency-cruiser.cjs', 'tsconfig.json', 'package.json'])
        await cp(path.join(ROOT, file), path.join(folder, file));
      await symlink(path.join(ROOT, 'node_modules'), path.join(folder, 'node_modules'));
      const sources: [string, string][] = [
        ...PLANTED.map(([, file, source]) => [file, source] as [string, string]),
        ...INNOCENT.map((file) => [file, 'export {};'] as [string, string]),
        ['libs/runtime/src/egg.ts', `import './chicken.js';`],
        [ALLOWED, `import './postgres.callers.js';`],
      ];
      for (const [file, source] of sources) {
        await mkdir(path.dirname(path.join(folder, file)), { recursive: true });
        await writeFile(path.join(folder, file), `${source}\n`);
      }
      found = await violations(folder, ['apps', 'libs', 'test']);
    }, 120_000);

    afterAll(() => rm(folder, { recursive: true, force: true }));

    it.each(PLANTED)('%s catches %s', (rule, file) =>
      expect(found).toContainEqual(
        expect.objectContaining({ from: file, rule: { name: rule, severity: 'error' } }),
      ),
    );

    it('but not an adapter that is named in its module', () =>
      expect(found.filter(({ from }) => from === ALLOWED)).toEqual([]));
  });
});
