import { secretsWatch } from './secrets-watch.js';

export interface BillingBalance {
  credits_remaining_micros: number;
  currency: string;
  top_up_url: string;
  as_of_seq: number;
}

export interface BillingUsage {
  period: string;
  start: string;
  end: string;
  currency: string;
  total_micros: number;
  calls: number;
  as_of: string;
  providers: {
    provider: string;
    total_micros: number;
    calls: number;
    models: {
      model: string;
      total_micros: number;
      calls: number;
      meters: { meter: string; quantity: string; cost_micros: number }[];
    }[];
  }[];
}

/** What a tool author reads with its key. Throws with status and body when refused. */
export class BillingClient {
  constructor(
    private readonly gatewayUrl: string,
    private readonly key: string,
  ) {}

  balance(): Promise<BillingBalance> {
    return this.get('/api/billing/balance');
  }

  usage(period: 'day' | 'month' = 'day'): Promise<BillingUsage> {
    return this.get(`/api/billing/usage?period=${period}`);
  }

  private async get<Answer>(route: string): Promise<Answer> {
    const answer = await fetch(this.gatewayUrl + route, { headers: { authorization: `Bearer ${this.key}` } });
    const text = await answer.text();
    secretsWatch.look(`the answer of GET ${route}`, text);
    if (!answer.ok) throw new Error(`GET ${route} answered ${answer.status}: ${text}`);
    return JSON.parse(text) as Answer;
  }
}
