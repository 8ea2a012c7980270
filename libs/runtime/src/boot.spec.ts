import { execFile } from 'node:child_process';
import path from 'node:path';
import { describe, expect, it } from '@jest/globals';

const COMPILED = path.resolve('dist/libs/runtime/src');

/** Runs a main whose start does `body`, as a process of its own. */
function main(body: string): Promise<{ code: number; stderr: string }> {
  const script = `
    import { runMain } from ${JSON.stringify(`${COMPILED}/boot.js`)};
    import { ConfigError } from ${JSON.stringify(`${COMPILED}/config.js`)};
    runMain(() => { ${body} });`;
  return new Promise((resolve) => {
    const child = execFile(process.execPath, ['--input-type=module', '-e', script], (_error, _out, stderr) =>
      resolve({ code: child.exitCode ?? 0, stderr }),
    );
  });
}

describe('runMain', () => {
  it.each([
    ['before there is a promise', `throw new ConfigError('LEDGER_URL: must be a URL')`],
    ['by the promise', `return Promise.reject(new ConfigError('LEDGER_URL: must be a URL'))`],
  ])('says a wrong configuration, thrown %s, in one line and exits 1', async (_, body) =>
    expect(await main(body)).toEqual({ code: 1, stderr: 'configuration: LEDGER_URL: must be a URL\n' }),
  );

  it('says where any other error of the start came from and exits 1', async () => {
    const { code, stderr } = await main(`throw new TypeError('broken')`);
    expect(code).toBe(1);
    expect(stderr).toMatch(/^TypeError: broken\n\s+at /);
  });
});
