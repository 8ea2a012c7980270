/** DI token of BillingConfig. */
export const BILLING_CONFIG = Symbol('BillingConfig');

export interface BillingConfig {
  /** Where people top up, without a slash at its end. */
  publicUrl: string;
  /** Origins on its subdomains are reflected by CORS. */
  domain: string;
  /** Per client address. */
  requestsPerMinute: {
    /** Of `/api/billing/balance` and `/api/v1/balance` together. */
    balance: number;
    /** Of `/api/cli/balance`. */
    cli: number;
  };
}
