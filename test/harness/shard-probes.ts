import { shardOf } from '@vendo/events';
import type { AdminClient } from './admin-client.js';
import { ClientStream, type SeenAnswer } from './streams.js';

const SHARDS = 16;

/** An answer with the times of the client, `performance.now()`. */
export interface ProbeAnswer extends SeenAnswer {
  startedAt: number;
  endedAt: number;
}

export interface ShardTenant {
  tenantId: string;
  key: string;
}

/** A client on a tenant of each shard, which calls again and again, at the gateways in turn. */
export class ShardProbes {
  private readonly answers: ProbeAnswer[][] = Array.from({ length: SHARDS }, () => []);
  private readonly clients: Promise<void>[];
  private stopping = false;

  /** @param tenants one per shard. @param model whose stream ends at once. @param pauseMs between two calls of a client. */
  constructor(
    gatewayUrls: readonly string[],
    tenants: readonly ShardTenant[],
    model: string,
    pauseMs: number,
  ) {
    this.clients = tenants.map(async ({ key }, shard) => {
      for (let turn = 0; !this.stopping; turn += 1) {
        const gatewayUrl = gatewayUrls[turn % gatewayUrls.length] ?? '';
        const startedAt = performance.now();
        const answer = await new ClientStream({ gatewayUrl, key, model, provider: 'openai' }).over;
        this.answers[shard]?.push({ ...answer, startedAt, endedAt: performance.now() });
        await new Promise((resolve) => setTimeout(resolve, pauseMs));
      }
    });
  }

  /** The end of the first call of the shard that began after `since` and was answered in full. */
  answeredAt(shard: number, since: number): number | undefined {
    return this.answers[shard]?.find(({ startedAt, complete }) => complete && startedAt > since)?.endedAt;
  }

  /** In the order of its calls, each of which began when the one before had ended. */
  answersOf(shard: number): readonly ProbeAnswer[] {
    return this.answers[shard] ?? [];
  }

  get seen(): ProbeAnswer[] {
    return this.answers.flat();
  }

  async stop(): Promise<void> {
    this.stopping = true;
    await Promise.all(this.clients);
  }
}

/** Makes tenants until each shard has one, each with credit and an app bound to the sandbox's OpenAI. */
export async function tenantPerShard(admin: AdminClient, creditMicros: number): Promise<ShardTenant[]> {
  const tenants = new Map<number, string>();
  while (tenants.size < SHARDS) {
    const { id } = await admin.createTenant();
    tenants.set(shardOf(id), id);
  }
  const made: ShardTenant[] = [];
  for (let shard = 0; shard < SHARDS; shard += 1) {
    const tenantId = tenants.get(shard) ?? '';
    await admin.credit(tenantId, creditMicros);
    const { id, key } = await admin.createApp(tenantId);
    await admin.bind(id, 'openai');
    made.push({ tenantId, key });
  }
  return made;
}
