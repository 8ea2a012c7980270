import { invalid } from './request-body.js';

/**
 * Reads the fields of a multipart form that billing depends on. A field may stand only once: which of two the provider
 * reads is not ours to guess. Rejects with VendoError `invalid_body`.
 */
export async function readForm(body: Buffer, contentType: string): Promise<Form> {
  if (!/^\s*multipart\/form-data\s*;/i.test(contentType)) throw invalid('The body is not a multipart form.');
  try {
    return new Form(
      await new Response(new Uint8Array(body), { headers: { 'content-type': contentType } }).formData(),
    );
  } catch {
    throw invalid('The body is not a valid multipart form.');
  }
}

/** A form whose fields are read by name. */
export class Form {
  constructor(private readonly fields: FormData) {}

  /** A field of text; null when there is none. Throws VendoError `invalid_body` for a file, and for one that is repeated. */
  text(name: string): string | null {
    const [value, another] = this.fields.getAll(name);
    if (another !== undefined) throw invalid(`The form names "${name}" more than once.`);
    if (value === undefined) return null;
    if (typeof value !== 'string') throw invalid(`"${name}" is a file.`);
    return value;
  }

  /** The fields of text under this name. */
  texts(name: string): string[] {
    return this.fields.getAll(name).filter((value) => typeof value === 'string');
  }

  /** Whether there is such a field, text or file. */
  has(name: string): boolean {
    return this.fields.has(name);
  }

  /** Bytes of all files under this name. */
  bytesOf(name: string): number {
    return this.fields
      .getAll(name)
      .reduce((sum, value) => sum + (typeof value === 'string' ? 0 : value.size), 0);
  }
}
