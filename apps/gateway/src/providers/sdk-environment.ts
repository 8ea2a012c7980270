import type { Provider } from './provider.js';

/**
 * The variables with which the provider's unmodified SDKs, and programs that use them, come to the gateway.
 * @param root of the provider at the gateway: `https://<slug>-proxy.<domain>`, or `<gateway>/proxy/<slug>`.
 */
export function sdkEnvironment({ variables }: Provider, root: string, key: string): Record<string, string> {
  const { keys, baseUrl } = variables;
  return {
    ...(baseUrl ? { [baseUrl.name]: `${root}${baseUrl.path}` } : {}),
    ...Object.fromEntries(keys.map((name) => [name, key])),
  };
}
