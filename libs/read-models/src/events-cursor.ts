/** The last event of a page: what comes after it is older. Rows never change place, so a cursor is stable under inserts. */
export interface EventsCursor {
  /** ISO 8601, to the millisecond, as the table stores it. */
  reservedAt: string;
  id: string;
}

/** Opaque to callers: base64url. */
export function encodeCursor({ reservedAt, id }: EventsCursor): string {
  return Buffer.from(`${reservedAt} ${id}`).toString('base64url');
}

/** Null for anything that `encodeCursor` did not write. */
export function decodeCursor(text: string): EventsCursor | null {
  const decoded = Buffer.from(text, 'base64url').toString('utf8');
  const match =
    /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z) ([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})$/.exec(decoded);
  if (!match?.[1] || !match[2] || !isInstant(match[1])) return null;
  return { reservedAt: match[1], id: match[2] };
}

/** `Date` takes the 31st of February for a day of March, and a year 0; the database does not take either at all. */
function isInstant(text: string): boolean {
  const at = Date.parse(text);
  return !Number.isNaN(at) && new Date(at).toISOString() === text && text >= '0001';
}
