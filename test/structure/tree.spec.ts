import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from '@jest/globals';

const ROOT = path.join(import.meta.dirname, '..', '..');
const LINES_MAX = 400;

/** Everything that git would know: tracked files and new ones, without what it ignores. */
const FILES = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard'], { cwd: ROOT })
  .toString()
  .split('\n')
  .filter((file) => file !== '' && existsSync(path.join(ROOT, file)));
const SOURCES = FILES.filter((file) => /^(apps|libs|tools|test|bench)\/.*\.(ts|mts|mjs|sql)$/.test(file));

/** Specs, contracts, and the stories that specs of test/ tell. */
const TEST_SOURCES = SOURCES.filter((file) => /\.(spec|contract)\.ts$|^test\/.*\.ts$/.test(file));

/**
 * The tests that some machines cannot run, and the words by which each says so when it is skipped: those of its own line,
 * or the function that prints it.
 */
const SKIPPED_WITHOUT: Record<string, string> = {
  // Recordings of the providers.
  'apps/gateway/src/providers/recordings.spec.ts': 'RECORDED ANSWERS NOT READ: no recordings',
  'apps/sandbox/src/shapes.spec.ts': 'the sandbox was not compared',
  'test/conformance/recordings.spec.ts': "recordingsFolder('CONFORMANCE')",
  'test/journeys/sdk-recorded.e2e.spec.ts': "recordingsFolder('RECORDED ANSWERS FOR THE SDKS')",
  // Linux.
  'apps/gateway/src/proxy/send-queues.spec.ts': 'SEND QUEUES WERE NOT TESTED: this is not Linux',
  // Kafka, or what it takes to run one of its own.
  'libs/event-log/src/kafka.event-log.kafka.spec.ts': 'kafkaForTests()',
  'test/harness/kafka-outage-story.ts': "KAFKA'S OUTAGE WAS NOT TESTED",
  'test/journeys/kill-on-kafka.e2e.spec.ts': 'NOTHING WAS KILLED BESIDE KAFKA',
  'tools/kafka/broker-outage.kafka.spec.ts': "KAFKA'S OUTAGE WAS NOT TESTED",
  // Root.
  'libs/testing/src/embedded-postgres.spec.ts': 'FOLDERS OF ROOT WERE NOT TESTED: this is not root',
  'test/journeys/npm-start.e2e.spec.ts': 'A START AS ROOT WAS NOT TESTED: this is not root',
};

function read(file: string): string {
  return readFileSync(path.join(ROOT, file), 'utf8');
}

function rooms(): string[] {
  return ['apps', 'libs'].flatMap((kind) =>
    readdirSync(path.join(ROOT, kind)).map((name) => `${kind}/${name}`),
  );
}

describe('the tree', () => {
  it('has the layout that the architecture names', () => {
    const expected = ['apps/gateway', 'apps/ledger', 'apps/projector', 'apps/sandbox', 'docker-compose.yml'];
    const missing = [...expected, 'nest-cli.json', 'package.json', 'tsconfig.json'].filter(
      (file) => !existsSync(path.join(ROOT, file)),
    );
    expect(missing).toEqual([]);
  });

  it('names no folder or file after nothing in particular', () =>
    expect(
      FILES.filter((file) => /(^|\/)(utils?|common|helpers?|base|misc|shared)(\/|\.[a-z]+$)/i.test(file)),
    ).toEqual([]));

  it(`explains every file over ${LINES_MAX} lines in its first lines`, () => {
    const long = SOURCES.filter((file) => read(file).split('\n').length > LINES_MAX);
    expect(long.filter((file) => !/^(\/\*\*?|\/\/|--) .*(long|lines)/im.test(firstLines(file)))).toEqual([]);
  });

  it('has a sentence about every room', () => {
    const silent = rooms().filter(
      (room) => !existsSync(path.join(ROOT, room, 'README.md')) || read(`${room}/README.md`).trim() === '',
    );
    expect(silent).toEqual([]);
  });

  it('has no test that is run alone, put off or meant to fail', () =>
    expect(
      TEST_SOURCES.filter((file) =>
        /\b(it|test|describe)(\.\w+)*\.(only|todo|failing)\b|\b(xit|fit|xtest|xdescribe|fdescribe)\(/.test(
          read(file),
        ),
      ),
    ).toEqual([]));

  it('skips tests nowhere but where the exceptions say', () =>
    expect(TEST_SOURCES.filter((file) => skipsOf(file).length > 0).sort()).toEqual(
      Object.keys(SKIPPED_WITHOUT).sort(),
    ));

  it.each(Object.entries(SKIPPED_WITHOUT))(
    'skips in %s once, on a condition, and prints why',
    (file, why) => {
      expect(skipsOf(file)).toHaveLength(1);
      expect(read(file)).toMatch(
        /\? (it|describe)[.]skip : (it|describe)\b|\? (it|describe) : (it|describe)[.]skip\b/,
      );
      expect(read(file)).toContain(why);
    },
  );

  it('has no link in its documents that leads nowhere', () => {
    const broken = FILES.filter((file) => file.endsWith('.md')).flatMap((file) =>
      [...read(file).matchAll(/\]\((?!https?:|mailto:|#)([^)#\s]+)/g)]
        .map(([, target = '']) => target)
        .filter((target) => !existsSync(path.join(ROOT, path.dirname(file), target)))
        .map((target) => `${file} -> ${target}`),
    );
    expect(broken).toEqual([]);
  });
});

function skipsOf(file: string): string[] {
  return read(file).match(/[.]skip\b/g) ?? [];
}

function firstLines(file: string): string {
  return read(file).split('\n').slice(0, 5).join('\n');
}
