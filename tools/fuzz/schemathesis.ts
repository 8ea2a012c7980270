import { execFile } from 'node:child_process';
import path from 'node:path';
import { promisify } from 'node:util';
import { hasPython, pythonEnvironment } from '../python/environment.js';

const run = promisify(execFile);
/** A machine that is busy with others takes longer; nothing is left out for it. */
const TIMEOUT_MS = 170_000;
const OUTPUT_MAX = 16 * 1024 * 1024;
const SEED = '20260521';
/** What its summary says of a run in which no operation was left out. */
const TESTED = /Selected: (\d+)\/\d+\s+Tested: \1\s/;
const CHECKS = [
  'not_a_server_error',
  'status_code_conformance',
  'content_type_conformance',
  'response_headers_conformance',
  'response_schema_conformance',
  'negative_data_rejection',
  'ignored_auth',
];

export interface FuzzRun {
  /** The gateway. */
  url: string;
  /** Regular expression over the paths of the document. */
  paths: string;
  bearer: string;
  /** Made for each operation, beside those that the document alone asks for. */
  examples: number;
}

/** The `st` command, installed where it is missing. Null when there is no Python 3 with venv. */
export async function installSchemathesis(folder: string): Promise<string | null> {
  if (!(await hasPython())) return null;
  const requirements = path.join(import.meta.dirname, 'requirements.txt');
  return path.join(await pythonEnvironment(folder, 'fuzz', requirements), 'st');
}

/** Resolves with what schemathesis found wrong, as it says it; null when nothing was. */
export async function fuzz(
  command: string,
  { url, paths, bearer, examples }: FuzzRun,
): Promise<string | null> {
  const options = [
    ...['run', `${url}/api/docs/openapi.json`, '--url', url, '--include-path-regex', paths],
    ...['--header', `Authorization: Bearer ${bearer}`, '--checks', CHECKS.join(',')],
    ...['--seed', SEED, '--generation-database', 'none', '--no-shrink', '--max-examples', String(examples)],
    ...['--suppress-health-check', 'all', '--continue-on-failure', '--no-color', '--warnings', 'off'],
  ];
  try {
    const { stdout } = await run(command, options, {
      maxBuffer: OUTPUT_MAX,
      timeout: TIMEOUT_MS,
      // It leaves a folder where it runs.
      cwd: path.dirname(command),
      env: { ...process.env, NO_PROXY: '*', PYTHONHASHSEED: '0' },
    });
    // A run that sent nothing found nothing either.
    return TESTED.test(stdout) ? null : stdout;
  } catch (thrown) {
    const { stdout = '', stderr = '' } = thrown as { stdout?: string; stderr?: string };
    return `${stdout}${stderr}` || String(thrown);
  }
}
