import { type KeptObject, type ObjectKey, ObjectTable } from './object-table.js';

/** For specs. */
export class MemoryObjectTable extends ObjectTable {
  readonly rows = new Map<string, KeptObject>();
  /** Awaited before every answer; a throw of it is the database's. */
  before: () => Promise<void> = async () => undefined;

  async add(object: KeptObject): Promise<void> {
    await this.before();
    const key = keyOf(object);
    if (!this.rows.has(key)) this.rows.set(key, { ...object });
  }

  async find(key: ObjectKey): Promise<KeptObject | null> {
    await this.before();
    return this.rows.get(keyOf(key)) ?? null;
  }

  async end(key: ObjectKey): Promise<void> {
    await this.before();
    const row = this.rows.get(keyOf(key));
    if (row) this.rows.set(keyOf(key), { ...row, ended: true });
  }
}

function keyOf({ provider, connectionId, objectId }: ObjectKey): string {
  return JSON.stringify([provider, connectionId, objectId]);
}
