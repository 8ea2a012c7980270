const MESSAGES: Readonly<Record<number, string>> = {
  401: 'Authentication error, API token missing/invalid',
  404: 'Not found',
  429: 'Too many requests',
};

/** The error body that goes with a status: one text. */
export function assemblyaiStatusError(status: number, message?: string): { error: string } {
  return { error: message ?? MESSAGES[status] ?? `Status ${status} was asked for.` };
}
