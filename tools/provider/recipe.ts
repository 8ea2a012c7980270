import { execFileSync, spawn } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import path from 'node:path';

const RECIPE = 'docs/adding-a-provider.md';
/** Longer than any of its commands takes on a slow machine. */
const COMMAND_MS_MAX = 240_000;

/** The blocks of commands of a document, in their order: what stands between ```sh and ```. */
export function commandsIn(document: string): string[] {
  return [...document.matchAll(/^```sh\n(.*?)^```$/gms)].map(([, block = '']) => block.trim());
}

/**
 * Does what docs/adding-a-provider.md tells, command by command, in a copy of the repository that is deleted
 * afterwards: its files as git knows them, the new ones included, and this one's packages. Throws at the first command
 * that fails.
 */
export async function followRecipe(root: string, print: (line: string) => void): Promise<void> {
  const commands = commandsIn(readFileSync(path.join(root, RECIPE), 'utf8'));
  if (commands.length === 0) throw new Error(`${RECIPE} has no commands`);
  const copy = mkdtempSync('/var/tmp/vendo-recipe-');
  try {
    copyRepository(root, copy);
    for (const command of commands) {
      const began = performance.now();
      print(`$ ${command}`);
      await run(command, copy);
      print(`# ${Math.round(performance.now() - began)} ms`);
    }
  } finally {
    rmSync(copy, { recursive: true, force: true });
  }
}

function copyRepository(root: string, copy: string): void {
  const git = (...args: string[]): string => execFileSync('git', args, { cwd: root, encoding: 'utf8' });
  const files = git('ls-files', '-z', '--cached', '--others', '--exclude-standard').split('\0');
  for (const file of files.filter((name) => name !== '' && existsSync(path.join(root, name)))) {
    mkdirSync(path.dirname(path.join(copy, file)), { recursive: true });
    copyFileSync(path.join(root, file), path.join(copy, file));
  }
  symlinkSync(path.join(root, 'node_modules'), path.join(copy, 'node_modules'));
}

function run(command: string, cwd: string): Promise<void> {
  const child = spawn('bash', ['-euo', 'pipefail', '-c', command], {
    cwd,
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  const timer = setTimeout(() => child.kill(), COMMAND_MS_MAX);
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('exit', (code) => {
      clearTimeout(timer);
      if (code === 0) resolve();
      else reject(new Error(`${command}: ended with ${code ?? 'a signal'}`));
    });
  });
}
