/** DI token of OperatorConfig. */
export const OPERATOR_CONFIG = Symbol('OperatorConfig');

export interface OperatorConfig {
  adminToken: string;
  /** Slugs of the providers that this gateway serves. */
  providers: readonly string[];
}
