import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readFile, rename, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const INSTALL_WITHIN_MS = 240_000;

/** Whether there is a Python 3 with venv. */
export async function hasPython(): Promise<boolean> {
  return run('python3', ['-c', 'import venv, ensurepip'], { timeout: INSTALL_WITHIN_MS }).then(
    () => true,
    () => false,
  );
}

/**
 * The `bin` folder of an environment that has what the file lists, installed where it is missing into
 * `<folder>/<name>-<requirements>`. Throws when the installation fails.
 */
export async function pythonEnvironment(folder: string, name: string, requirements: string): Promise<string> {
  const version = createHash('sha256')
    .update(await readFile(requirements))
    .digest('hex')
    .slice(0, 12);
  const home = path.join(folder, `${name}-${version}`);
  const bin = path.join(home, 'bin');
  const complete = path.join(home, 'complete');
  if (existsSync(complete)) return bin;
  await rm(home, { recursive: true, force: true });
  await run('python3', ['-m', 'venv', home], { timeout: INSTALL_WITHIN_MS });
  const pip = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '-r', requirements];
  try {
    await run(path.join(bin, 'python'), pip, { timeout: INSTALL_WITHIN_MS });
  } catch (thrown) {
    await rename(home, `${home}-broken`);
    throw thrown;
  }
  await writeFile(complete, '');
  return bin;
}
