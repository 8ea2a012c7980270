import { secretsWatch } from './secrets-watch.js';

/** One row of POST /api/admin/rates. Prices are decimal strings: USD per `per` units. */
export interface RateRow {
  provider: string;
  model: string;
  meter: string;
  unit_cost_usd: string;
  per: string;
  free?: boolean;
  effective_from?: string;
}

export interface AppCaps {
  /** USD. */
  spend_cap_daily?: number | string | null;
  spend_cap_monthly?: number | string | null;
}

export interface UsageEventRow {
  id: string;
  tenant_id: string;
  app_id: string | null;
  provider: string;
  model: string | null;
  outcome: string;
  evidence: string;
  status: number | null;
  lines: { meter: string; quantity: string; cost_micros: number; unpriced?: true }[];
  cost_micros: number;
  hold_micros: number;
  [field: string]: unknown;
}

/** The operator API as the tests use it. Every call throws with status and body when it is refused. */
export class AdminClient {
  private keys = 0;

  constructor(
    private readonly gatewayUrl: string,
    private readonly adminToken: string,
  ) {}

  async createTenant(name = 'Tenant of a test'): Promise<{ id: string }> {
    return (await this.post<{ tenant: { id: string } }>('/tenants', { name, is_test: true })).tenant;
  }

  /** @returns the balance after the credit, micros. A repeat with the same idempotency key credits once. */
  async credit(tenantId: string, amountMicros: number, idempotencyKey?: string): Promise<number> {
    this.keys += 1;
    const { entry } = await this.post<{ entry: { balance_micros: number } }>(
      `/tenants/${tenantId}/credits`,
      { amount_micros: amountMicros, source: 'test' },
      { 'idempotency-key': idempotencyKey ?? `test-${process.pid}-${this.keys}-${tenantId}` },
    );
    return entry.balance_micros;
  }

  /** @returns the app's id, and its first key in plain text. */
  async createApp(
    tenantId: string,
    name = 'App of a test',
    caps: AppCaps = {},
  ): Promise<{ id: string; key: string; keyId: string }> {
    const { app, key } = await this.post<{ app: { id: string }; key: { id: string; plaintext: string } }>(
      `/tenants/${tenantId}/apps`,
      { display_name: name, ...caps },
    );
    return { id: app.id, key: key.plaintext, keyId: key.id };
  }

  async connect(
    tenantId: string,
    provider: string,
    profile: string,
    credential?: string,
  ): Promise<{ id: string }> {
    const { connection } = await this.post<{ connection: { id: string } }>(
      `/tenants/${tenantId}/connections`,
      { provider, profile, ...(credential ? { credential } : {}) },
    );
    return connection;
  }

  /** Binds a provider: the named connection, else the managed pool. */
  async bind(appId: string, provider: string, connectionId?: string): Promise<void> {
    await this.post(`/apps/${appId}/bindings`, {
      provider_slug: provider,
      ...(connectionId ? { connection_id: connectionId } : {}),
    });
  }

  async importRates(rates: RateRow[]): Promise<void> {
    await this.post('/rates', { rates });
  }

  async setCaps(appId: string, caps: AppCaps): Promise<void> {
    await this.call('PATCH', `/apps/${appId}`, caps);
  }

  async revokeKey(keyId: string): Promise<void> {
    await this.call('DELETE', `/keys/${keyId}`);
  }

  async openHolds(tenantId: string): Promise<{ hold_id: string; amount_micros: number }[]> {
    const { holds } = await this.call<{ holds: { hold_id: string; amount_micros: number }[] }>(
      'GET',
      `/tenants/${tenantId}/holds`,
    );
    return holds;
  }

  /** All usage events of a tenant, newest first. */
  async usageEvents(tenantId: string): Promise<UsageEventRow[]> {
    const all: UsageEventRow[] = [];
    for (let after: string | null = ''; after !== null; ) {
      const cursor: string = after ? `&after=${encodeURIComponent(after)}` : '';
      const page: { usage_events: UsageEventRow[]; next: string | null } = await this.call(
        'GET',
        `/usage-events?tenant_id=${tenantId}&limit=200${cursor}`,
      );
      all.push(...page.usage_events);
      after = page.next;
    }
    return all;
  }

  async parked(): Promise<unknown[]> {
    return (await this.call<{ parked: unknown[] }>('GET', '/parked')).parked;
  }

  post<Answer>(route: string, body: object, headers: Record<string, string> = {}): Promise<Answer> {
    return this.call<Answer>('POST', route, body, headers);
  }

  async call<Answer>(
    method: string,
    route: string,
    body?: object,
    headers: Record<string, string> = {},
  ): Promise<Answer> {
    const answer = await fetch(`${this.gatewayUrl}/api/admin${route}`, {
      method,
      headers: {
        authorization: `Bearer ${this.adminToken}`,
        ...(body ? { 'content-type': 'application/json' } : {}),
        ...headers,
      },
      ...(body ? { body: JSON.stringify(body) } : {}),
    });
    const text = await answer.text();
    secretsWatch.answered(`the answer of ${method} ${route}`, body && JSON.stringify(body), text);
    if (!answer.ok) throw new Error(`${method} ${route} answered ${answer.status}: ${text}`);
    return (text === '' ? undefined : JSON.parse(text)) as Answer;
  }
}
