import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import pg from 'pg';

/** Shorter ones would be found everywhere. */
const SECRET_CHARS_MIN = 8;
/** What must hold no secret: every schema of the product. */
const SCHEMAS = ['registry', 'ledger', 'log', 'read'];
/** Files and folders of a product that are made of secrets, or that are the database itself. */
const KEPT_SECRET = ['secrets.json', 'demo.json', 'postgres'];
/** Fields of the operator API: what a request brings, and what only the answer that issues a key may say. */
const BROUGHT = 'credential';
const ISSUED = 'plaintext';

/**
 * Every secret that a test process has come to know, and every place where one was found. Answers are looked through as
 * they come in, what a product leaves behind when it ends.
 */
export class SecretsWatch {
  private readonly secrets = new Map<string, string>();
  private readonly found = new Set<string>();

  /** @param name what stands in a finding instead of the secret. */
  learn(name: string, secret: string | undefined): void {
    if (secret && secret.length >= SECRET_CHARS_MIN) this.secrets.set(secret, name);
  }

  /** Looks through an answer; learns the credential that was sent and the keys that it issues, which it alone may say. */
  answered(where: string, sent: string | Buffer | undefined, answer: string | Buffer): void {
    for (const credential of fieldsOf(sent, BROUGHT)) this.learn('a credential', credential);
    const issued = fieldsOf(answer, ISSUED);
    this.look(where, answer, issued);
    for (const key of issued) this.learn('a key', key);
  }

  /** Looks through a piece of what somebody was shown. */
  look(where: string, shown: string | Buffer, except: readonly string[] = []): void {
    for (const [secret, name] of this.secrets)
      if (!except.includes(secret) && shown.includes(secret)) this.found.add(`${name} in ${where}`);
  }

  /** Looks through all files under a product's folder: logs, spools. */
  async lookInFolder(folder: string): Promise<void> {
    const entries = await readdir(folder, { recursive: true, withFileTypes: true });
    for (const entry of entries.filter((each) => each.isFile())) {
      const file = path.join(entry.parentPath, entry.name);
      const relative = path.relative(folder, file);
      if (!relative.split('/').some((name) => KEPT_SECRET.includes(name)))
        this.look(relative, await readFile(file));
    }
  }

  /** Looks through every row of every table, binary values too. Throws when the database does not answer. */
  async lookInDatabase(url: string): Promise<void> {
    const client = new pg.Client({ connectionString: url });
    await client.connect();
    try {
      const tables = await client.query<{ place: string }>(
        `select format('%I.%I', schemaname, tablename) as place from pg_tables where schemaname = any($1)`,
        [SCHEMAS],
      );
      const texts = [...this.secrets.keys()];
      const hexes = texts.map((text) => Buffer.from(text).toString('hex'));
      for (const { place } of tables.rows) {
        // The offset keeps the row's text from being made again for each secret.
        const { rows } = await client.query<{ secret: string }>(
          `select distinct s.secret from (select t::text as row from ${place} t offset 0) r
           join unnest($1::text[], $2::text[]) s(secret, hex) on strpos(r.row, s.secret) > 0 or strpos(r.row, s.hex) > 0`,
          [texts, hexes],
        );
        for (const { secret } of rows) this.found.add(`${this.secrets.get(secret)} in table ${place}`);
      }
    } finally {
      await client.end();
    }
  }

  /** What was found since the last time, as sentences without the secrets themselves. */
  take(): string[] {
    const findings = [...this.found];
    this.found.clear();
    return findings;
  }
}

/** The one of this test process: a secret of one product must not show in another either. */
export const secretsWatch = new SecretsWatch();

function fieldsOf(json: string | Buffer | undefined, field: string): string[] {
  if (!json?.includes(`"${field}"`)) return [];
  return [...json.toString().matchAll(new RegExp(`"${field}"\\s*:\\s*"([^"]+)"`, 'g'))].map(
    ([, text = '']) => text,
  );
}
