// A real Apache Kafka on 127.0.0.1, one node, from the jars that Maven fetches; needs Java 17 and Maven, no Docker.
//   node tools/kafka/kafka.mjs [--port 9092] [--folder var/kafka]     until Ctrl-C; port 0: a free one
// Plain JavaScript, so that it runs before anything is built. Tests call startKafka(); its types are in kafka.d.mts.
import { execFile, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { parseArgs, promisify } from 'node:util';
import { freePort } from '../../libs/testing/free-port.js';

const run = promisify(execFile);
const HERE = import.meta.dirname;
const VERSION = '4.3.1';
/** A machine that is busy with other journeys has taken more than a minute. */
const READY_WITHIN_MS = 120_000;

export async function startKafka({ folder, port, progress = () => undefined }) {
  const jars = await fetchJars(progress);
  const listener = port || (await freePort());
  const settings = await prepare(path.resolve(folder), jars, listener, await freePort());
  let server = launch(jars, settings);
  await answering(server);
  return {
    brokers: `127.0.0.1:${listener}`,
    get pid() {
      return server.child.pid;
    },
    kill: () => end(server, 'SIGKILL'),
    stop: () => end(server, 'SIGTERM'),
    async restart() {
      await end(server, 'SIGTERM');
      server = launch(jars, settings);
      await answering(server);
    },
  };
}

export async function missingForKafka() {
  if (await fails('java', ['-version'])) return 'java';
  return !existsSync(path.join(jarFolder(), '.complete')) && (await fails('mvn', ['-v'])) ? 'mvn' : null;
}

function fails(command, args) {
  return run(command, args).then(
    () => false,
    () => true,
  );
}

function jarFolder() {
  const home = process.env.VENDO_KAFKA_HOME ?? path.join(HERE, '../../node_modules/.cache/vendo-kafka');
  return path.join(home, VERSION);
}

/** The jars, about 54 MB, are fetched once; a mark tells a whole folder from an interrupted one. */
async function fetchJars(progress) {
  const folder = jarFolder();
  const complete = path.join(folder, '.complete');
  if (existsSync(complete)) return folder;
  progress(`fetching Apache Kafka ${VERSION} with Maven (54 MB, once)`);
  await mkdir(folder, { recursive: true });
  const goal = ['dependency:copy-dependencies', '-DincludeScope=runtime', `-DoutputDirectory=${folder}`];
  await run('mvn', ['-q', '-B', '-f', path.join(HERE, 'pom.xml'), `-Dkafka.version=${VERSION}`, ...goal]);
  await writeFile(complete, '');
  return folder;
}

/** Writes the settings; formats the data folder when it is new. */
async function prepare(folder, jars, port, controllerPort) {
  await mkdir(folder, { recursive: true });
  const settings = path.join(folder, 'server.properties');
  const data = path.join(folder, 'data');
  await writeFile(settings, properties({ data, port, controllerPort }));
  if (!existsSync(path.join(data, 'meta.properties'))) {
    await rm(data, { recursive: true, force: true });
    const format = ['format', '--standalone', '--cluster-id', clusterId(), '--config', settings];
    await run('java', java(jars, folder, '128m', 'kafka.tools.StorageTool', ...format));
  }
  return { settings, folder };
}

function properties({ data, port, controllerPort }) {
  const listeners = `PLAINTEXT://127.0.0.1:${port},CONTROLLER://127.0.0.1:${controllerPort}`;
  const lines = {
    'process.roles': 'broker,controller',
    'node.id': 1,
    // Not "voters": that would rule out a standalone format.
    'controller.quorum.bootstrap.servers': `127.0.0.1:${controllerPort}`,
    listeners,
    'advertised.listeners': listeners,
    'controller.listener.names': 'CONTROLLER',
    'inter.broker.listener.name': 'PLAINTEXT',
    'listener.security.protocol.map': 'PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT',
    'log.dirs': data,
    'auto.create.topics.enable': false,
    'default.replication.factor': 1,
    'min.insync.replicas': 1,
    'offsets.topic.replication.factor': 1,
    'offsets.topic.num.partitions': 1,
    'transaction.state.log.replication.factor': 1,
    'transaction.state.log.min.isr': 1,
    'transaction.state.log.num.partitions': 1,
    'share.coordinator.state.topic.replication.factor': 1,
    'share.coordinator.state.topic.min.isr': 1,
    'group.initial.rebalance.delay.ms': 0,
    // After a kill -9 the broker waits for its own old session: 4 s in all with these, 13 s with the defaults.
    'broker.session.timeout.ms': 2_000,
    'broker.heartbeat.interval.ms': 500,
  };
  return Object.entries(lines)
    .map(([name, value]) => `${name}=${value}\n`)
    .join('');
}

function java(jars, folder, memory, main, ...args) {
  return [
    // A broker of tests lives for minutes: what it does not spend on compiling well is left to the tests.
    '-XX:TieredStopAtLevel=1',
    '-XX:+UseSerialGC',
    `-Xms${memory}`,
    `-Xmx${memory}`,
    `-Dlog4j2.configurationFile=file:${path.join(HERE, 'log4j2.properties')}`,
    `-Dkafka.logs.dir=${folder}`,
    '-cp',
    path.join(jars, '*'),
    main,
    ...args,
  ];
}

/** Kafka's ids are 16 bytes in url-safe base64; one that begins with a dash would read as an option. */
function clusterId() {
  const id = randomBytes(16).toString('base64url');
  return id.startsWith('-') ? clusterId() : id;
}

function launch(jars, { settings, folder }) {
  const child = spawn('java', java(jars, folder, '512m', 'kafka.Kafka', settings), {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const server = { child, output: '', exited: new Promise((resolve) => child.once('exit', resolve)) };
  const keep = (chunk) => {
    server.output = (server.output + chunk).slice(-4_000);
  };
  child.stdout.on('data', keep);
  child.stderr.on('data', keep);
  child.once('error', keep);
  const killed = () => child.kill('SIGKILL');
  process.once('exit', killed);
  child.once('exit', () => process.off('exit', killed));
  return server;
}

function hasExited({ child }) {
  return child.pid === undefined || child.exitCode !== null || child.signalCode !== null;
}

async function end(server, signal) {
  if (hasExited(server)) return;
  server.child.kill(signal);
  await server.exited;
}

/** A listening port is not enough: the broker says so when it has recovered its data and takes requests. */
async function answering(server) {
  for (const deadline = Date.now() + READY_WITHIN_MS; Date.now() < deadline; await pause(50)) {
    if (server.output.includes('Kafka Server started')) return;
    if (hasExited(server)) throw new Error(`Kafka exited: ${server.output}`);
  }
  await end(server, 'SIGKILL');
  throw new Error(`Kafka did not start within ${READY_WITHIN_MS / 1_000} s: ${server.output}`);
}

function pause(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

if (process.argv[1] === import.meta.filename) {
  const { values } = parseArgs({
    options: {
      port: { type: 'string', default: '9092' },
      folder: { type: 'string', default: path.join(HERE, '../../var/kafka') },
    },
  });
  let broker = null;
  // Before it is up there is nothing to shut down: leaving kills it.
  for (const signal of ['SIGINT', 'SIGTERM'])
    process.once(signal, () => (broker ? broker.stop().then(() => process.exit(0)) : process.exit(1)));
  broker = await startKafka({
    folder: values.folder,
    port: Number(values.port),
    progress: (line) => console.log(line),
  });
  console.log(`kafka ready: KAFKA_BROKERS=${broker.brokers}`);
}
