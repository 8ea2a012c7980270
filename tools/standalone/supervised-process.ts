import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, existsSync, openSync, readFileSync, renameSync, statSync } from 'node:fs';

const LOG_BYTES_MAX = 64 * 1024 * 1024;
const BACKOFF_MS_MIN = 250;
const BACKOFF_MS_MAX = 5_000;
/** A process that lived this long starts its next backoff from the smallest step. */
const STEADY_AFTER_MS = 30_000;

export interface ProcessOptions {
  name: string;
  /** The compiled main of the app. */
  script: string;
  /** All of its environment. */
  env: Record<string, string>;
  /** stdout goes to `<logFile>`, stderr to `<logFile>.err`; each is set aside once (`.1`) when it is over 64 MiB. */
  logFile: string;
  /** Told when it died without being asked to. */
  died: (line: string) => void;
}

/**
 * One app as a child process that is started again when it dies, with backoff, until `kill` or `stop`.
 * It runs in a process group of its own, so that Ctrl-C reaches the supervisor only and the order of ending holds; it
 * ends by itself when the supervisor dies, because its stdin closes (`VENDO_SUPERVISED`, runMain in libs/runtime).
 */
export class SupervisedProcess {
  private child: ChildProcess | null = null;
  private ended: Promise<void> = Promise.resolve();
  private wanted = false;
  private startedAt = 0;
  private backoffMs = BACKOFF_MS_MIN;
  private restart: NodeJS.Timeout | undefined;
  private errorsFrom = 0;

  constructor(private readonly options: ProcessOptions) {}

  /** Null while it does not run. */
  get pid(): number | null {
    return this.child?.pid ?? null;
  }

  start(): void {
    this.wanted = true;
    if (!this.child) this.spawn();
  }

  /** Sends a signal. One that ends processes also ends the restarts, and the promise resolves when the process is gone. */
  async kill(signal: NodeJS.Signals): Promise<void> {
    const ending = signal !== 'SIGSTOP' && signal !== 'SIGCONT';
    if (ending) this.giveUp();
    this.child?.kill(signal);
    if (ending) await this.ended;
  }

  /** Sends a signal to a process that is being stopped; nothing happens when it is gone. */
  signal(signal: NodeJS.Signals): void {
    this.child?.kill(signal);
  }

  /** SIGTERM, and SIGKILL after `withinMs`. Resolves when it is gone: true when it ended by itself with exit code 0. */
  async stop(withinMs: number): Promise<boolean> {
    this.giveUp();
    const child = this.child;
    if (!child) return true;
    child.kill('SIGTERM');
    const timer = setTimeout(() => child.kill('SIGKILL'), Math.max(withinMs, 0));
    await this.ended;
    clearTimeout(timer);
    return child.exitCode === 0;
  }

  /** What it wrote to stderr since its last start, at most the first 8,000 characters. */
  complaint(): string {
    const file = `${this.options.logFile}.err`;
    return existsSync(file)
      ? readFileSync(file).subarray(this.errorsFrom).toString().slice(0, 8_000).trim()
      : '';
  }

  private giveUp(): void {
    this.wanted = false;
    clearTimeout(this.restart);
  }

  private spawn(): void {
    const { script, env, logFile } = this.options;
    const out = openLog(logFile);
    const err = openLog(`${logFile}.err`);
    this.errorsFrom = statSync(`${logFile}.err`).size;
    const child = spawn(process.execPath, ['--enable-source-maps', script], {
      env,
      stdio: ['pipe', out, err],
      detached: true,
    });
    closeSync(out);
    closeSync(err);
    child.stdin?.on('error', () => undefined);
    this.child = child;
    this.startedAt = Date.now();
    this.ended = new Promise((resolve) => {
      const gone = (): void => {
        if (this.child !== child) return;
        this.child = null;
        resolve();
        this.afterEnd(child);
      };
      child.once('exit', gone);
      child.once('error', gone);
    });
  }

  private afterEnd(child: ChildProcess): void {
    if (!this.wanted) return;
    if (Date.now() - this.startedAt > STEADY_AFTER_MS) this.backoffMs = BACKOFF_MS_MIN;
    const how = child.signalCode ?? `exit code ${child.exitCode}`;
    this.options.died(`${this.options.name} ended (${how}); starting it again in ${this.backoffMs} ms`);
    this.restart = setTimeout(() => this.wanted && this.spawn(), this.backoffMs);
    this.backoffMs = Math.min(this.backoffMs * 2, BACKOFF_MS_MAX);
  }
}

function openLog(file: string): number {
  if (existsSync(file) && statSync(file).size > LOG_BYTES_MAX) renameSync(file, `${file}.1`);
  return openSync(file, 'a', 0o600);
}
