import { shardOf } from '@vendo/events';
import type { AdminClient } from './admin-client.js';
import { ClientStream, type SeenAnswer } from './streams.js';

const SHARDS = 16;
const PAUSE_MS = 150;

/** An answer with the times of the client, `performance.now()`. */
export interface ProbeAnswer extends SeenAnswer {
  startedAt: number;
  endedAt: number;
}

/** A client on a tenant of each shard, which calls again and again, at the gateways in turn. */
export class ShardProbes {
  private readonly answers: ProbeAnswer[][] = Array.from({ length: SHARDS }, () => []);
  private readonly clients: Promise<void>[];
  private stopping = false;

  /** @param keys one per shard. @param model whose stream ends at once. */
  constructor(gatewayUrls: readonly string[], keys: readonly string[], model: string) {
    this.clients = keys.map(async (key, shard) => {
      for (let turn = 0; !this.stopping; turn += 1) {
        const gatewayUrl = gatewayUrls[turn % gatewayUrls.length] ?? '';
        const startedAt = performance.now();
        const answer = await new ClientStream({ gatewayUrl, key, model, provider: 'openai' }).over;
        this.answers[shard]?.push({ ...answer, startedAt, endedAt: performance.now() });
        await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
      }
    });
  }

  /** The end of the first call of the shard that began after `since` and was answered in full. */
  answeredAt(shard: number, since: number): number | undefined {
    return this.answers[shard]?.find(({ startedAt, complete }) => complete && startedAt > since)?.endedAt;
  }

  get seen(): ProbeAnswer[] {
    return this.answers.flat();
  }

  async stop(): Promise<void> {
    this.stopping = true;
    await Promise.all(this.clients);
  }
}

/** Makes tenants until each shard has one, each with credit and an app bound to the sandbox's OpenAI. @returns their keys. */
export async function keyPerShard(admin: AdminClient, creditMicros: number): Promise<string[]> {
  const tenants = new Map<number, string>();
  while (tenants.size < SHARDS) {
    const { id } = await admin.createTenant();
    tenants.set(shardOf(id), id);
  }
  const keys: string[] = [];
  for (let shard = 0; shard < SHARDS; shard += 1) {
    const tenantId = tenants.get(shard) ?? '';
    await admin.credit(tenantId, creditMicros);
    const { id, key } = await admin.createApp(tenantId);
    await admin.bind(id, 'openai');
    keys.push(key);
  }
  return keys;
}
