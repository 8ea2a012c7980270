/** FastAPI's errors: a text, or a list where the body lacks something. */
export function muapiStatusError(status: number, message?: string): unknown {
  if (status === 422)
    return { detail: [{ type: 'missing', loc: ['body'], msg: message ?? 'Field required', input: null }] };
  return { detail: message ?? MESSAGES[status] ?? `Status ${status} was asked for.` };
}

const MESSAGES: Readonly<Record<number, string>> = {
  401: 'Invalid or missing API key',
  402: 'Insufficient credits',
  404: 'Not Found',
  429: 'Too many requests',
};
